"""Every bad input is refused with a message that names the field and the value."""

import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from crossfeed import theory

GOOD: dict[str, Any] = {
    "private": np.stack([np.eye(3)] * 2),
    "public": np.eye(3),
    "synthetic": np.stack([np.eye(3)] * 2),
    "shares": np.array([0.5, 0.5]),
    "noise_variance": 1.0,
    "theta": np.ones(3),
}
ASYMMETRIC = np.eye(3) + 0.25 * np.eye(3, k=1)
INDEFINITE = np.diag([1.0, 1.0, -0.5])
NOT_FINITE = np.diag([1.0, np.nan, 1.0])


def second(matrix):
    return np.stack([np.eye(3), matrix])


BAD_VALUES = {
    "private not a stack": ("private", np.eye(3), r"private .*\(K, d, d\).* has shape \(3, 3\)"),
    "private not square": ("private", np.ones((2, 3, 4)), r"private: .* has shape \(2, 3, 4\)"),
    "no entity": ("private", np.ones((0, 3, 3)), r"private: .* has shape \(0, 3, 3\)"),
    "no dimension": ("private", np.ones((2, 0, 0)), r"private: .*d ≥ 1.* has shape \(2, 0, 0\)"),
    "public size": ("public", np.eye(4), r"public: truth must have shape \(4,\).* has shape \(3,\)"),
    "synthetic size": (
        "synthetic",
        np.ones((3, 3, 3)),
        r"synthetic must have shape \(2, 3, 3\).* has shape \(3, 3, 3\)",
    ),
    "shares size": ("shares", np.ones(3) / 3, r"shares must have shape \(2,\).* has shape \(3,\)"),
    "noise shape": ("noise_variance", np.ones(2), r"public: noise_variance must have shape \(\).* has shape \(2,\)"),
    "theta size": ("theta", np.ones(4), r"truth must have shape \(2, 3\).* has shape \(4,\)"),
    "private asymmetric": ("private", second(ASYMMETRIC), r"private\[1\] is not symmetric.*\(0, 1\) is 0.25"),
    "public asymmetric": ("public", ASYMMETRIC, r"public is not symmetric.*\(0, 1\) is 0.25"),
    "synthetic indefinite": ("synthetic", second(INDEFINITE), r"synthetic\[1\] is not positive.* is -0.5"),
    "public indefinite": ("public", INDEFINITE, r"public is not positive.* is -0.5"),
    "public rounded": ("public", np.eye(3) + 1e-7 * np.eye(3, k=1), r"not symmetric.*as float32 rounds.*in float64"),
    "private rounded": ("private", second(np.diag([1, 1, -1e-7])), r"is not positive.*as float32 rounds.*in float64"),
    "private NaN": ("private", second(NOT_FINITE), r"private\[1, 1, 1\] is nan"),
    "public infinite": ("public", np.diag([1, np.inf, 1]), r"public\[1, 1\] is inf"),
    "theta NaN": ("theta", np.array([0, np.nan, 0]), r"private.truth\[0, 1\] is nan"),
    "shares negative": ("shares", np.array([1.25, -0.25]), r"shares\[1\] is -0.25"),
    "shares sum": ("shares", np.array([0.5, 0.4]), r"shares must sum to 1, but sum to 0.9"),
    "shares NaN": ("shares", np.array([np.nan, 1]), r"shares\[0\] is nan"),
    "noise zero": ("noise_variance", 0.0, r"private.noise_variance\[0\] is 0,"),
    "noise negative": ("noise_variance", -2.5, r"private.noise_variance\[0\] is -2.5,"),
    "noise infinite": ("noise_variance", np.inf, r"private.noise_variance\[0\] is inf,"),
    "noise NaN": ("noise_variance", np.nan, r"private.noise_variance\[0\] is nan,"),
    "text": ("public", "nonsense", r"public: gram is 'nonsense',"),
    "ragged": ("public", [[1.0], [1.0, 2.0]], r"\[\[1.0\], \[1.0, 2.0\]\]"),
}


@pytest.mark.parametrize(("field", "value", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_bad_ecosystem(field, value, message):
    with pytest.raises(theory.InvalidInput, match=message):
        theory.ecosystem_from_grams(**GOOD | {field: value})


def test_good_ecosystem():
    assert theory.ecosystem_from_grams(**GOOD).entities == 2


def test_rounding_of_a_product_is_no_error():
    features = np.random.default_rng(0).normal(size=(3, 40, 9))
    grams = 1e6 * np.einsum("kni,knj->kij", features[:, :4], features[:, :4]) + 1e-9 * np.eye(9, k=1)
    theory.ecosystem_from_grams(grams, grams[0], grams, np.ones(3) / 3)


@pytest.mark.parametrize("field", GOOD)
def test_single_precision_is_refused_with_the_cure(field):
    value = jnp.asarray(GOOD[field], dtype=jnp.float32)
    with pytest.raises(theory.InvalidInput, match=r"has type float32.*jax_enable_x64', True"):
        theory.ecosystem_from_grams(**GOOD | {field: value})


@pytest.mark.parametrize("field", ["alpha", "beta"])
def test_single_precision_weights(field):
    weights = {"alpha": 0.5, "beta": 0.5} | {field: np.float32(0.5)}
    with pytest.raises(theory.InvalidInput, match=f"{field} has type float32.*jax_enable_x64', True"):
        theory.Weights(**weights)


BAD_WEIGHTS = {
    "above": (1.5, r" is 1.5,.* \[0, 1\]"),
    "below": (-0.1, r" is -0.1,"),
    "NaN": (np.nan, r" is nan,"),
    "one entity": (np.array([0.5, 2.0]), r"\[1\] is 2,"),
    "one generation": (np.array([[0.5], [-3.0]]), r"\[1, 0\] is -3,"),
    "three axes": (np.full((1, 2, 3), 0.5), r" must have shape .* has shape \(1, 2, 3\)"),
    "empty": (np.zeros(0), r" must have shape .* has shape \(0,\)"),
    "text": ("half", " is 'half', but must be a number or an array of numbers"),
    "nothing": (None, " is None,"),
}


@pytest.mark.parametrize("field", ["alpha", "beta"])
@pytest.mark.parametrize(("value", "message"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_bad_weights(field, value, message):
    with pytest.raises(theory.InvalidInput, match=field + message):
        theory.Weights(**{"alpha": 0.5, "beta": 0.5} | {field: value})


@pytest.mark.parametrize("value", [0, 1])
def test_whole_numbers_are_weights(value):
    assert float(theory.Weights(value, 0.5).alpha) == value


CONSTANT = [theory.limit, theory.spectral_radius, theory.lemma1, theory.common_prompts]


@pytest.mark.parametrize("result", CONSTANT)
@pytest.mark.parametrize("field", ["alpha", "beta"])
def test_results_about_constant_weights(result, field):
    ecosystem = theory.ecosystem_from_grams(**GOOD)
    per_entity = theory.Weights(**{"alpha": 0.5, "beta": 0.5} | {field: np.full(3, 0.5)})
    with pytest.raises(theory.InvalidInput, match=rf"{field} has shape \(3,\).* fit \(2,\)"):
        result(ecosystem, per_entity)
    per_generation = theory.Weights(**{"alpha": 0.5, "beta": 0.5} | {field: np.full((4, 1), 0.5)})
    with pytest.raises(theory.InvalidInput, match=rf"{field} (has shape )?\(4, 1\).* constant"):
        result(ecosystem, per_generation)


@pytest.mark.parametrize("shape", [(3,), (5, 1), (4, 3), (1, 2), (1, 1)])
@pytest.mark.parametrize("field", ["alpha", "beta"])
def test_weights_that_do_not_fit_the_trajectory(shape, field):
    weights = theory.Weights(**{"alpha": 0.5, "beta": 0.5} | {field: np.full(shape, 0.5)})
    message = rf"{field} has shape \({', ?'.join(map(str, shape))},?\).* fit \(4, 2\)"
    with pytest.raises(theory.InvalidInput, match=message):
        theory.trajectory(theory.ecosystem_from_grams(**GOOD), weights, 3, theory.mse)


def test_shapes_are_checked_while_traced():
    with pytest.raises(theory.InvalidInput, match=r"public must have shape \(3, 3\)"):
        jax.jit(lambda public: theory.ecosystem_from_grams(GOOD["private"], public, GOOD["synthetic"]).pool_gram)(
            np.eye(4)
        )


@pytest.mark.parametrize("entities", [0, 1])
def test_worst_case_needs_two(entities):
    with pytest.raises(theory.InvalidInput, match=f"entities is {entities}"):
        theory.worst_case(entities, 1.0)


def test_one_family_of_errors():
    for error in (theory.InvalidInput, theory.NoLimit, theory.DependsOnTheta):
        assert issubclass(error, theory.CrossfeedError)


def test_import_changes_no_flag():
    code = "import equinox, jax; old = dict(jax.config.values); import crossfeed.theory; assert dict(jax.config.values) == old"
    subprocess.run([sys.executable, "-c", code], check=True)
