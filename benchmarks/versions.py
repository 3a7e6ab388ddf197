"""The exact theory against that of an earlier commit of this repository, in turns within one run, in CPU time.

Each version runs in a process of its own that waits for orders, so that both measure the same machine at the same time.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
from crossfeed.theory import random_gaussian, save_ecosystem
from timing import ROOT, Claim, assert_agree

EARLIER = "f2fef18"
"""The last commit before workflows: one estimator, one pool, no memory."""
_PLACE = ROOT / "build" / "earlier"
PAIRS = 5
TARGETS = {
    "limit, K = d = 64": 6.0,
    "limit, K = 1000, d = 15": 8.0,
    "trajectory, T = 100, K = 4, d = 15": 3.5,
    "grid of 21 × 21, K = 4, d = 32": 1.3,
    "grid of 11 × 11, K = 4, d = 64": 1.7,
    "limit, K = 4, d = 15": 0.9,
    "grid of 51 × 51, K = 4, d = 15": 0.9,
    "grid of 51 × 51, K = 10, d = 8": 0.9,
    "trajectory with weights that change, T = 100, K = 4, d = 15": 0.9,
}
"""Ratios to reach, of the earlier version's time over ours; 0.9 where nothing may be slower."""
FIRST_NUMBER = 10.0
"""Ratio to reach of the CPU time of `crossfeed limit` without programs kept from earlier runs."""
MEMORY_GIB = 2.0  # of a limit at K = 10,000 and d = 64


class Version:
    """A process that computes and times the tasks of `version_tasks.py` with the code of one checkout."""

    def __init__(self, checkout: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(checkout), "JAX_ENABLE_COMPILATION_CACHE": "0"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("version_tasks.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, task: str) -> dict[str, Any]:
        """Median CPU seconds of a call of a task, and its result; the first time, it is also compiled."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(task + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def cold_seconds(checkout: Path, ecosystem: Path) -> float:
    """CPU seconds of `crossfeed limit` in a process that finds no compiled programs."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "JAX_ENABLE_COMPILATION_CACHE": "0"}
    command = [sys.executable, "-m", "crossfeed", "limit", str(ecosystem), "--alpha", "0.5", "--beta", "0.5", "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # elsewhere, since Python started in a checkout imports that one
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, cwd=ecosystem.parent)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_number() -> Claim:
    with TemporaryDirectory() as folder:
        path = Path(folder, "ecosystem.npz")
        save_ecosystem(random_gaussian(jax.random.key(0), 4, 15, 5), path)
        pairs = [[cold_seconds(checkout, path) for checkout in (ROOT, _PLACE)] for _ in range(3)]
    ratio = float(np.median([earlier / ours for ours, earlier in pairs]))
    return Claim(
        f"crossfeed limit without compiled programs, against {EARLIER}", ratio, FIRST_NUMBER, details={"pairs": pairs}
    )


def measure() -> list[Claim]:
    if not _PLACE.exists():
        subprocess.run(["git", "worktree", "add", "--detach", str(_PLACE), EARLIER], cwd=ROOT, check=True)
    ours, earlier = Version(ROOT), Version(_PLACE)
    claims = []
    for task, target in TARGETS.items():
        first = [version.ask(task) for version in (ours, earlier)]
        assert_agree(task, first[0]["result"], first[1]["result"])
        ratios, times = [], []
        for _ in range(PAIRS):
            pair = [version.ask(task)["seconds"] for version in (ours, earlier)]
            ratios.append(pair[1] / pair[0])
            times.append(pair)
        seconds = np.median(times, axis=0)
        details = {"earlier": EARLIER, "ours_seconds": seconds[0], "earlier_seconds": seconds[1], "ratios": ratios}
        claims.append(Claim(f"{task}, against {EARLIER}", float(np.median(ratios)), target, details=details))
    ours.close()
    earlier.close()
    fresh = Version(ROOT)  # whose peak memory is that of this task alone
    peak = fresh.ask("memory, K = 10000, d = 64")["result"]
    fresh.close()
    claims.append(Claim("GiB at the peak of a limit at K = 10,000, d = 64", peak, MEMORY_GIB, at_least=False))
    return [*claims, first_number()]
