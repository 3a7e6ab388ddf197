"""Every quantity that a sweep stores is what the theory says of the same ecosystem: entity by entity, for entities that
differ in rank, scale and share, at weights α ≠ β inside the unit square."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from crossfeed.sim import make_moment_sampler, simulate
from crossfeed.sim.sweep import QUANTITIES, create_sweep, parse_spec, run_sweep
from crossfeed.sim.sweep.families import make_family
from crossfeed.sim.sweep.quantities import OF_INTERPOLATION

from crossfeed import theory

ENTITIES, DIMENSION, GENERATIONS, REPLICATES, NOISE_VARIANCE, SEED = 3, 4, 3, 400, 0.7, 3
EVERYONE = range(ENTITIES)


class Theory(NamedTuple):
    """What crossfeed.theory says of one point."""

    ecosystem: theory.Ecosystem
    weights: theory.Weights
    limit: theory.Law
    errors: jax.Array  # MSE by generation and entity
    standard_errors: jax.Array  # of its mean over the replicates


def by_entity(values):
    """Values of entity 1, 2, …, one by one."""
    return jnp.stack([values[k] for k in EVERYONE])


def task_errors(law):
    return jnp.stack([jnp.stack([theory.mspe(law)[k, task] for task in EVERYONE]) for k in EVERYONE])


def from_others(law):
    """What each entity's estimate takes from the private data of all others."""
    weights = theory.transfer(law)
    return jnp.stack([sum(weights[k, j] for j in EVERYONE if j != k) for k in EVERYONE])


# What a quantity must be: its dimensions, and its value.
EXACT = {
    "spectral_radius": ((), lambda of: theory.spectral_radius(of.ecosystem, of.weights)),
    "reason": ((), lambda of: jnp.where(of.limit.exists, 0.0, 1.0)),  # of other reasons: test_workflows.py
    "mse": (("entity",), lambda of: by_entity(theory.mse(of.limit))),
    "mean_mse": ((), lambda of: sum(theory.mse(of.limit)[k] for k in EVERYONE) / ENTITIES),
    "mspe": (("entity", "task"), lambda of: task_errors(of.limit)),
    "relative_efficiency": (("entity",), lambda of: by_entity(theory.relative_efficiency(of.limit))),
    "mean_relative_efficiency": ((), lambda of: by_entity(theory.relative_efficiency(of.limit)).mean()),
    "homogenization": ((), lambda of: theory.homogenization(of.limit)),
    "transfer": (("entity", "dataset"), lambda of: by_entity(theory.transfer(of.limit))),
    "mean_transfer": ((), lambda of: from_others(of.limit).mean()),
    "lemma1_applies": ((), lambda of: theory.lemma1(of.ecosystem, of.weights).applies.astype(float)),
    "lemma1_bound": ((), lambda of: theory.lemma1(of.ecosystem, of.weights).bound),
    "common_prompts_stable": ((), lambda of: theory.common_prompts(of.ecosystem, of.weights).stable.astype(float)),
    "universal_bound": ((), lambda of: theory.universal_bound(of.ecosystem)),
    "prompt_bound": ((), lambda of: theory.prompt_bound(of.ecosystem).bound),
    "anchor_bound": ((), lambda of: theory.anchor_bound(of.ecosystem, of.weights).bound_any_private),
    "knowledge_margin": ((), lambda of: theory.knowledge_bound(of.ecosystem, of.weights).margin),
    "knowledge_bound": ((), lambda of: theory.knowledge_bound(of.ecosystem, of.weights).bound),
    "sharp_knowledge_bound": ((), lambda of: theory.knowledge_bound(of.ecosystem, of.weights).sharp),
    "lemma1_extended_bound": ((), lambda of: theory.lemma1_extended(of.ecosystem, of.weights).bound),
    "mse_trajectory": (("generation", "entity"), lambda of: of.errors),
    "mean_mse_trajectory": (("generation",), lambda of: of.errors.mean(1)),
}
# The same for what is random, with the gap that is left to chance: five standard errors of a mean, and a quarter of a standard
# error, which 400 replicates estimate within a few percent.
RANDOM = {
    "monte_carlo_mse": (("generation", "entity"), lambda of: (of.errors, 5 * of.standard_errors)),
    "monte_carlo_mse_se": (("generation", "entity"), lambda of: (of.standard_errors, of.standard_errors / 4)),
}


@jax.jit
def expected(ecosystem, weights):
    """Value and allowed gap of every quantity."""

    def error_and_variance(law):
        """Mean and variance of ‖e‖² for Gaussian errors e with the exact mean and covariance."""
        spread, bias = theory.covariance(law), theory.bias(law)
        variances = [2 * jnp.trace(spread[k] @ spread[k]) + 4 * bias[k] @ spread[k] @ bias[k] for k in EVERYONE]
        return theory.mse(law), jnp.stack(variances)

    errors, variances = theory.trajectory(ecosystem, weights, GENERATIONS, error_and_variance)
    limit = theory.limit(ecosystem, weights)
    of = Theory(ecosystem, weights, limit, errors, jnp.sqrt(variances / REPLICATES))
    exact = {name: (value(of), 0.0) for name, (_, value) in EXACT.items()}
    return exact | {name: value(of) for name, (_, value) in RANDOM.items()}


def test_the_table_has_every_quantity():
    assert EXACT.keys() | RANDOM.keys() == QUANTITIES.keys() - {*OF_INTERPOLATION}
    assert not EXACT.keys() & RANDOM.keys()


def assert_the_table_holds(found: xr.Dataset, ecosystem: theory.Ecosystem, point: dict[str, float]) -> None:
    """All that a sweep stored of one point, of the entities that the ecosystem has."""
    there = {"entity": range(1, ENTITIES + 1), "task": range(1, ENTITIES + 1), "generation": range(GENERATIONS + 1)}
    datasets = [*range(1, ENTITIES + 1), int(found.dataset[-1])]  # the public one is the last
    wanted = expected(ecosystem, theory.Weights(point["alpha"], point["beta"]))
    for name, (dims, _) in (EXACT | RANDOM).items():
        assert found[name].dims == dims
        value, allowed = wanted[name]
        part = found[name].sel({dim: (there | {"dataset": datasets})[dim] for dim in dims})
        # Of the worst case for given prompts there is a bound from an ascent, which rounding takes another way.
        accuracy = 1e-7 if name in ("prompt_bound", "anchor_bound") else 1e-9
        close = np.isclose(part, value, rtol=accuracy, atol=np.asarray(allowed), equal_nan=True)
        assert close.all(), f"{name} at {point}: {part.values}, not {value}"


def swept(folder, text: str) -> tuple[xr.Dataset, object]:
    spec = parse_spec(text, folder=folder)
    create_sweep(spec, folder / "s.zarr")
    run_sweep(spec, folder / "s.zarr")
    return xr.open_zarr(folder / "s.zarr").load(), spec


SWEEP = f"""
[sweep]
quantities = {list(EXACT | RANDOM)}
generations = {GENERATIONS}
replicates = {REPLICATES}
seed = {SEED}
"""


@pytest.fixture(scope="module")
def unequal() -> theory.Ecosystem:
    """Private data of ranks 2, 4 and 4 and of scales from one to nine, unequal volumes and shares, θ and σ² of its own.

    All publish on the same inputs, and γS = λS~ + (1-λ)S_* with λ = 0.6: Lemma 1 and the common-prompt criterion apply.
    """
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(DIMENSION, DIMENSION))
    prompts = rows.T @ rows / DIMENSION
    # Public data just so large that entity 1, which publishes least, knows nothing in two directions.
    seen = rows[:2].T
    public = seen @ np.linalg.inv(seen.T @ np.linalg.inv(prompts) @ seen) @ seen.T / 0.4
    published = np.array([1.0, 2.5, 9.0])[:, None, None] * prompts
    private = (published - 0.4 * public) / 0.6
    theta = rng.normal(size=DIMENSION)
    ecosystem = theory.ecosystem_from_grams(private, public, published / 1.7, [0.5, 0.3, 0.2], NOISE_VARIANCE, theta)
    assert np.linalg.matrix_rank(private, hermitian=True, tol=1e-9).tolist() == [2, 4, 4]
    return ecosystem


@pytest.fixture(scope="module")
def of_file(unequal, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unequal")
    theory.save_ecosystem(unequal, folder / "unequal.npz")
    axes = "[axes]\nalpha = [0.3, 0.55, 0.7]\nbeta = [0.45, 0.8]\n"
    return swept(folder, f'{SWEEP}[ecosystem]\nfamily = "file"\npath = "unequal.npz"\n{axes}')


@pytest.mark.long
def test_unequal_entities_of_a_file(of_file, unequal):
    found, _ = of_file
    for alpha, beta in itertools.product(found.alpha.values, found.beta.values):
        assert_the_table_holds(found.sel(alpha=alpha, beta=beta), unequal, {"alpha": alpha, "beta": beta})
    # Guards the case: what it is to show is there.
    np.testing.assert_array_equal(found.lemma1_applies.sel(beta=0.45), 1)
    np.testing.assert_array_equal(found.lemma1_applies.sel(beta=0.8), 0)
    assert (found.spectral_radius <= found.lemma1_bound).sel(beta=0.45).all()
    np.testing.assert_array_equal(found.common_prompts_stable, 1)
    assert float((found.mse.max("entity") / found.mse.min("entity")).min()) > 1.1


def test_monte_carlo_is_a_simulation_with_the_points_own_key(of_file, unequal):
    found, spec = of_file
    _, key = jax.random.split(jax.random.key(spec.seed))
    draw = jax.jit(lambda weights, key: simulate(make_moment_sampler(unequal), weights, GENERATIONS, REPLICATES, key))
    points = itertools.product(found.beta.values, found.alpha.values)
    for number, (beta, alpha) in enumerate(points):
        drawn = draw(theory.Weights(alpha, beta), jax.random.fold_in(key, number))
        at = found.sel(alpha=alpha, beta=beta)
        np.testing.assert_allclose(at.monte_carlo_mse, drawn.mse, rtol=1e-9)
        np.testing.assert_allclose(at.monte_carlo_mse_se, drawn.mse_se, rtol=1e-9)


RANDOM_FAMILY = f"""{SWEEP}
[ecosystem]
draws = 2
public_rows = {{public_rows}}
noise_variance = {NOISE_VARIANCE}
[axes]
entities = [{ENTITIES}, {ENTITIES + 1}]
dimension = {DIMENSION}
rank = 1
volume = 3.0
dominant_share = 0.6
mixing = 0.3
misalignment = [0.25, 0.6]
alpha = [0.35, 0.6]
beta = [0.2, 0.45, 0.7]
"""


def random_ecosystem(spec, point: dict[str, float]) -> theory.Ecosystem:
    """The ecosystem of a point by the description of its axes, in arrays of just its own size."""
    plain = {"draw": point["draw"], "entities": ENTITIES, "rank": 1, "volume": 1.0, "mixing": 1.0}
    made, other = (make_family(spec, DIMENSION)(plain | {"misalignment": m}) for m in (0.0, 1.0))
    private, public, unrelated = made.private.gram[:ENTITIES], made.public.gram, other.synthetic.gram[:ENTITIES]
    mixed = 0.3 * private + 0.7 * public[None]
    published = (1 - point["misalignment"]) * mixed + point["misalignment"] * unrelated
    shares = [0.6] + [0.4 / (ENTITIES - 1)] * (ENTITIES - 1)
    return theory.ecosystem_from_grams(private, public, 3.0 * published, shares, NOISE_VARIANCE, made.public.truth)


@pytest.mark.long
@pytest.mark.parametrize("public_rows", [2, DIMENSION + 2], ids=["public data of half the rank", "of full rank"])
def test_random_entities_beside_one_that_is_not_there(tmp_path, public_rows):
    found, spec = swept(tmp_path, RANDOM_FAMILY.format(public_rows=public_rows))
    found = found.sel(entities=ENTITIES)  # in arrays with room for one more
    axes = ("draw", "misalignment", "alpha", "beta")
    for place in itertools.product(*(found[name].values for name in axes)):
        point = dict(zip(axes, map(float, place), strict=True)) | {"draw": int(place[0])}
        assert_the_table_holds(found.sel(point), random_ecosystem(spec, point), point)
    for name, quantity in QUANTITIES.items():
        for dim in {"entity", "task"} & set(quantity.dims):
            assert np.isnan(found[name].sel({dim: ENTITIES + 1})).all(), name
    assert np.isnan(found.transfer.sel(dataset=ENTITIES + 1)).all()
    np.testing.assert_array_equal(found.lemma1_applies, 0)
    np.testing.assert_array_equal(found.common_prompts_stable, 0)
