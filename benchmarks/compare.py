"""Ratios measured in one run: two ways to the same numbers, timed in turn, so that a slow minute slows both."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import jax

RESULTS = Path(__file__).parents[1] / "results" / "benchmarks"
ROUNDS = 7


@dataclass(frozen=True)
class Ratio:
    """One claim with its measurement.

    Attributes:
        claim: what is compared, with sizes.
        ours: median seconds of one unit of work.
        theirs: the same for the alternative.
        ratio: median over rounds of theirs / ours.
        spread: smallest and largest ratio of a round.
        target: what the ratio should reach.
        note: how the work was scaled, if it was.
    """

    claim: str
    ours: float
    theirs: float
    ratio: float
    spread: tuple[float, float]
    target: float
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.ratio >= self.target


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call, finished on the device."""
    start = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - start


def interleave(ours: Callable, theirs: Callable, scale: float = 1.0) -> tuple[float, float, float, tuple[float, float]]:
    """Median times and ratio of two ways; `scale` is their share of the work that one call of `theirs` leaves out.

    Both are called once before, so that compilation and first allocations are not timed.
    """
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), scale * seconds(theirs)) for _ in range(ROUNDS)]
    ratios = [b / a for a, b in pairs]
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(ratios), (min(ratios), max(ratios))


def store(name: str, content: object) -> None:
    """Write what was measured, where, and with which code."""
    git = lambda *arguments: subprocess.run(  # noqa: E731
        ["git", *arguments], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    ).stdout.strip()
    machine = {"cores": os.cpu_count(), "processor": _processor(), "python": platform.python_version()}
    versions = {package: version(package) for package in ("crossfeed", "jax", "numpy", "scipy")}
    record = {
        "measured": content,
        "machine": machine,
        "versions": versions,
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain")),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def as_record(ratio: Ratio) -> dict:
    """A ratio as plain numbers."""
    return asdict(ratio) | {"met": ratio.met}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
