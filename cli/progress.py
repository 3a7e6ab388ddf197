"""Progress on stderr: a bar on a terminal, and a line every half minute elsewhere."""

from datetime import timedelta
from typing import Any

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

_APART = 30.0  # seconds between lines


def progress_bar(*more: str, window: float = 30.0) -> Progress:
    """Progress bar that disappears at the end, with optional further text columns.

    Args:
        more: formats of further columns.
        window: seconds of the past from which the time that remains is estimated.
    """
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
        speed_estimate_period=window,
    )


class _Lines(Progress):
    """Progress in lines, where no bar can be drawn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told = self.get_time()

    def update(self, task_id: TaskID, **kwargs: Any) -> None:
        """Update a task, and print a line if the last one is long ago."""
        super().update(task_id, **kwargs)
        if self.get_time() - self._told < _APART:
            return
        self._told = self.get_time()
        task = next(task for task in self.tasks if task.id == task_id)
        parts = [f"{int(task.completed):,}" + (f" of {task.total:,.0f}" if task.total else "")]
        parts += [rate] if (rate := task.fields.get("rate")) else []
        parts += [f"{timedelta(seconds=round(task.elapsed or 0))} elapsed"]
        parts += [f"{timedelta(seconds=round(task.time_remaining))} remaining"] if task.time_remaining else []
        self.console.print(f"{task.description}: {', '.join(parts)}", highlight=False, markup=False)
