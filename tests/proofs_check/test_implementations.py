"""What claims of the ledger state is what the functions of `theory` that they name compute, at random rational points."""

import random
from functools import wraps
from importlib import import_module
from typing import Any

import jax
import numpy as np
import pytest
from crossfeed.proofs_check.ledger import read_statements
from crossfeed.theory import baselines, symmetric

from crossfeed import theory

from .implementations import CLOSED_FORMS, LAWS, STABILITY, closed_forms, laws, stability

NAMED = {id: statement.implemented_by for id, statement in read_statements().items() if statement.implemented_by}
COMPARISONS = LAWS | STABILITY | CLOSED_FORMS
POINTS = 3


def test_every_claim_that_names_a_function_is_compared_with_it():
    assert set(COMPARISONS) == set(NAMED)


@pytest.mark.parametrize("claim", NAMED)
def test_the_named_function_is_public(claim):
    found = theory
    for part in NAMED[claim].removeprefix("crossfeed.theory.").split("."):
        found = getattr(found, part)
    assert callable(found)


def compare(claim: str) -> None:
    """Assert that a claim and the function that it names agree at random points."""
    rng = random.Random(claim)
    for _ in range(POINTS):
        stated, computed = (np.asarray(value, float) for value in COMPARISONS[claim](rng))
        assert stated.shape == computed.shape
        scale = np.abs(stated).max()
        assert scale > 0
        np.testing.assert_allclose(computed, stated, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.long
@pytest.mark.parametrize("claim", COMPARISONS)
def test_a_claim_and_its_function_agree(claim):
    compare(claim)


def slightly_wrong(value: Any) -> Any:
    """Numbers that are off by a millionth, booleans negated, and integers as they are."""
    kind = value.dtype if hasattr(value, "dtype") else np.result_type(value)
    if np.issubdtype(kind, np.bool_):
        return value ^ True
    return value * (1 + 1e-6) if np.issubdtype(kind, np.inexact) else value


@pytest.fixture
def mutate(monkeypatch):
    """Make the function that a claim names slightly wrong, wherever comparisons call it."""

    def by_name(path: str) -> None:
        *folder, name = path.split(".")
        right = getattr(import_module(".".join(folder)), name)

        @wraps(right)
        def wrong(*arguments: Any, **options: Any) -> Any:
            return jax.tree.map(slightly_wrong, right(*arguments, **options))

        for module in (laws, stability, closed_forms, baselines, symmetric):
            if getattr(module, name, None) is right:
                monkeypatch.setattr(module, name, wrong)

    def clear() -> None:
        laws.program.cache_clear()
        closed_forms.program.cache_clear()

    clear()
    yield by_name
    clear()


@pytest.mark.parametrize(
    "claim",
    [claim if "baselines" in named else pytest.param(claim, marks=pytest.mark.long) for claim, named in NAMED.items()],
)
def test_a_function_that_is_slightly_wrong_is_noticed(claim, mutate):
    """Negative control, which also fails if a comparison does not call the function that its claim names."""
    mutate(NAMED[claim])
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        compare(claim)
