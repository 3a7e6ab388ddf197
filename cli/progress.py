"""Progress on stderr: a bar on a terminal; elsewhere a line after ten seconds, and then every half minute."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_FIRST, _APART = 10.0, 30.0  # seconds until the first line, and between lines
_PAUSE = 1.0  # seconds between checks whether a line is due


def progress_bar(*more: str) -> Progress:
    """Progress bar that disappears at the end, with optional further text columns.

    A task's time that remains is its field `remaining`, in seconds or None, if it has one; otherwise it follows from the speed of
    the last half minute.

    Args:
        more: formats of further columns.
    """
    texts = [TextColumn(text) for text in more]
    return _progress(BarColumn(), MofNCompleteColumn(), *texts, TimeElapsedColumn(), _TimeRemaining())


@contextmanager
def working(description: str) -> Generator[None]:
    """Context manager of work whose parts cannot be counted: shows how long it has taken."""
    with _progress(TimeElapsedColumn()) as progress:
        progress.add_task(description, total=None)
        yield


def compiling_clock() -> Callable[[], float]:
    """Clock that tells the time in seconds, and stands still while JAX compiles programs."""
    import jax

    compiling = 0.0

    def add(event: str, duration_secs: float, **details: object) -> None:
        nonlocal compiling
        if event in ("/jax/core/compile/jaxpr_to_mlir_module_duration", "/jax/core/compile/backend_compile_duration"):
            compiling += duration_secs

    jax.monitoring.register_event_duration_secs_listener(add)
    return lambda: time.monotonic() - compiling


def _progress(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True, soft_wrap=True)
    return (Progress if console.is_terminal else _Lines)(
        SpinnerColumn(), TextColumn("{task.description}"), *columns, console=console, transient=True
    )


def _seconds_left(task: Task) -> float | None:
    return task.fields.get("remaining", task.time_remaining)


def _time(seconds: float | None) -> str:
    return str(timedelta(seconds=round(seconds or 0)))


class _TimeRemaining(TimeRemainingColumn):
    def render(self, task: Task) -> Text:
        """Time that remains, or dashes."""
        left = _seconds_left(task)
        return Text("-:--:--" if left is None else _time(left), style="progress.remaining")


class _Lines(Progress):
    """Progress in lines, where no bar can be drawn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._due = self.get_time() + _FIRST
        self._ended = Event()
        self._thread = Thread(target=self._tell_in_time, daemon=True)

    def start(self) -> None:
        """Begin to print lines, also while nothing is updated, as during compilation."""
        self._thread.start()

    def stop(self) -> None:
        """Print no more lines."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def update(self, task_id: TaskID, **kwargs: Any) -> None:
        """Update a task, and print a line if the last one is long ago."""
        super().update(task_id, **kwargs)
        self._tell_if_due()

    def _tell_in_time(self) -> None:
        while not self._ended.wait(_PAUSE):
            self._tell_if_due()

    def _tell_if_due(self) -> None:
        with self._lock:
            task = next((one for one in self.tasks if not one.finished), None)
            if task is None or self.get_time() < self._due:
                return
            self._due = self.get_time() + _APART
        parts = [f"{int(task.completed):,} of {task.total:,.0f}"] if task.total else []
        parts += [rate] if (rate := task.fields.get("rate")) else []
        parts += [f"{_time(task.elapsed)} elapsed"]
        parts += [f"{_time(left)} remaining"] if (left := _seconds_left(task)) else []
        self.console.print(f"{task.description}: {', '.join(parts)}", highlight=False, markup=False)
