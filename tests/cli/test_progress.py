"""What long work says where nothing can be drawn over."""

import re
import time

import pytest
from crossfeed.cli.lm import TimeRemaining
from crossfeed.cli.progress import progress_bar
from crossfeed.sim.lm import Progress


def test_a_log_gets_a_line_soon_and_then_now_and_then(capsys):
    with progress_bar("{task.fields[rate]}") as progress:
        start = progress.get_time()
        task = progress.add_task("points", rate="", total=1000)
        for seconds, done in ((1, 10), (11, 110), (31, 310), (42, 420), (64, 640), (73, 730)):
            progress.get_time = lambda now=start + seconds: now
            progress.update(task, completed=done, rate="10 a second")
    lines = capsys.readouterr().err.split("\n")
    assert [line.split(", ")[:2] for line in lines if line] == [
        [f"points: {done} of 1,000", "10 a second"] for done in (110, 420, 730)
    ]


def test_a_log_gets_lines_while_nothing_is_updated(capsys):
    with progress_bar() as progress:
        progress.add_task("compiling", total=None)
        later = progress.get_time() + 20
        progress.get_time = lambda: later
        said, end = "", time.monotonic() + 30
        while not said and time.monotonic() < end:
            time.sleep(0.05)
            said = capsys.readouterr().err
    assert re.fullmatch(r"compiling: 0:00:\d\d elapsed\n", said)


def test_the_time_that_a_run_takes_is_told_from_what_generations_took():
    """Ten seconds per generation, after a minute for the base, with two generations that had been computed before."""
    seconds = 0.0
    estimate = TimeRemaining(lambda: seconds)

    def after(time: float, done: float, doing: str) -> float | None:
        nonlocal seconds
        seconds = time
        return estimate.after(Progress(done, 6, doing, 0, work=done / 6))

    assert after(5, 0, "reading text") is None
    assert after(6, 2, "") is None  # restored
    assert after(66, 2, "training the base") is None
    assert after(66, 2, "generation 3: generating") is None
    assert after(67, 2.1, "generation 3: generating") == pytest.approx(39)
    assert after(67.5, 2.1, "generation 3: training") == pytest.approx(39)
    assert after(75, 2.9, "generation 3: training") == pytest.approx(31)
    assert after(76, 3, "") == pytest.approx(30)
    assert after(80, 3, "another base") == pytest.approx(30)
    assert after(90, 4, "generation 4: training") == pytest.approx(20)
