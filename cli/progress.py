"""Progress of long work, on stderr: a bar on a terminal, and a line now and then where a log is written."""

from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_APART = 30.0  # seconds from line to line


def progress_bar(*more: str) -> Progress:
    """A progress bar that leaves no trace, with more text columns if wanted."""
    console = Console(stderr=True, soft_wrap=True)
    return (Progress if console.is_terminal else _Lines)(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *(TextColumn(text) for text in more),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


class _Lines(Progress):
    """Where nothing can be drawn over."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._told = self.get_time()

    def update(self, task_id: TaskID, **kwargs) -> None:
        """Note what is done, and say so if the last time was long ago."""
        super().update(task_id, **kwargs)
        if self.get_time() - self._told < _APART:
            return
        self._told = self.get_time()
        task = next(task for task in self.tasks if task.id == task_id)
        parts = [f"{task.completed:,.0f}" + (f" of {task.total:,.0f}" if task.total else "")]
        parts += [rate] if (rate := task.fields.get("rate")) else []
        parts += [f"{timedelta(seconds=round(task.elapsed or 0))} gone"]
        parts += [f"{timedelta(seconds=round(task.time_remaining))} left"] if task.time_remaining else []
        self.console.print(f"{task.description}: {', '.join(parts)}", highlight=False, markup=False)
