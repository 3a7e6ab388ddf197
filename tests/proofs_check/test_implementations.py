"""What claims of the ledger state is what the functions of `theory` that they name compute, at random rational points."""

import random

import numpy as np
import pytest
from crossfeed.proofs_check.ledger import read_statements

from crossfeed import theory

from .implementations import CLOSED_FORMS, LAWS, STABILITY

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


@pytest.mark.long
@pytest.mark.parametrize("claim", COMPARISONS)
def test_a_claim_and_its_function_agree(claim):
    rng = random.Random(claim)
    for _ in range(POINTS):
        stated, computed = (np.asarray(value, float) for value in COMPARISONS[claim](rng))
        assert stated.shape == computed.shape
        scale = np.abs(stated).max()
        assert scale > 0
        np.testing.assert_allclose(computed, stated, rtol=1e-12, atol=1e-12 * scale)
