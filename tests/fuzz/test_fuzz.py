"""Damaged input is refused with one sentence or read right: never a traceback, a hang, much memory or a wrong number."""

import sys

import pytest

from .harness import run
from .readers import READERS

CASES = 25


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by what Linux tells")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_damaged_input_is_refused_or_read_right(name):
    outcome = run(READERS[name], range(CASES))
    assert outcome.refused, "the mutations must hit"
    assert not outcome.failures, outcome.traces
