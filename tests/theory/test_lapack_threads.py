"""On hosts with many cores, importing the theory leaves OpenBLAS with one thread within JAX's calls; elsewhere it does nothing."""

import json
import os
import subprocess
import sys

import pytest

LOOK = """
import json, os, warnings
os.sched_getaffinity = lambda process: set(range({cores}))
{before}
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    import crossfeed.theory
import scipy.linalg
from threadpoolctl import threadpool_info
of_scipy = [one for one in threadpool_info() if one["internal_api"] == "openblas" and "/scipy" in one["filepath"]]
threads, messages = [one["num_threads"] for one in of_scipy], [str(one.message) for one in said]
print(json.dumps([threads, messages, "OPENBLAS_NUM_THREADS" in os.environ]))
"""


def look(cores: int, before: str = "", **environment: str):
    clean = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    code = LOOK.format(cores=cores, before=before)
    ended = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: OpenBLAS has one thread in any case")
def test_many_cores_few_threads():
    assert look(128) == [[1], [], False]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: OpenBLAS has one thread in any case")
def test_few_cores_are_left_alone():
    ((threads,), said, _) = look(8)
    assert threads > 1
    assert said == []


def test_a_user_who_has_chosen_is_left_alone():
    assert look(128, OPENBLAS_NUM_THREADS="2") == [[2], [], True]


def test_too_late_is_said():
    (_, (said,), _) = look(128, before="import scipy.linalg")
    assert "128 cores" in said
    assert "OPENBLAS_NUM_THREADS=1" in said
