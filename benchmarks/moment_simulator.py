"""Simulation by moments, d numbers per dataset, where the literal simulation draws 1000 labels."""

import jax
import numpy as np
from crossfeed.sim import (
    RunningMoments,
    make_moment_sampler,
    merge_moment_stack,
    sharded_vmap,
    simulate_moments,
    summarize_moments,
)
from crossfeed.theory import Features, Weights, ecosystem_from_features, mse, trajectory
from timing import Claim, compiled, interleaved

ENTITIES, DIMENSION, ROWS, GENERATIONS = 4, 15, 1000, 20
ALPHA, BETA = 0.5, 0.5
REPLICATES, ROW_REPLICATES = 2**16, 2**8
PARTS = 8  # distributed over the cores
LARGEST_Z = 6.0


class NumpyRows:
    """Simulation of every label of every dataset, with replicates as columns.

    Whatever does not depend on the labels is computed once.
    """

    def __init__(self, features: Features, theta: np.ndarray) -> None:
        self.private, self.public, self.synthetic = (np.asarray(getattr(features, n)) for n in features.__annotations__)
        self.theta = theta
        self.turned_private, self.turned_synthetic = (
            np.swapaxes(x, 1, 2).copy() for x in (self.private, self.synthetic)
        )
        known = BETA * self.turned_private @ self.private + (1 - BETA) * self.public.T @ self.public
        pool = (self.turned_synthetic @ self.synthetic).mean(0)
        self.first = np.linalg.pinv(known, hermitian=True)
        self.later = np.linalg.pinv((1 - ALPHA) * known + ALPHA * pool, hermitian=True)
        self.generator = np.random.default_rng(0)

    def __call__(self, replicates: int) -> np.ndarray:
        """‖θ̂_tk - θ‖² of every replicate, (T+1, K, replicates)."""
        normal = self.generator.standard_normal
        private = (self.private @ self.theta)[..., None] + normal((ENTITIES, ROWS, replicates))
        public = (self.public @ self.theta)[:, None] + normal((ROWS, replicates))
        real = BETA * (self.turned_private @ private) + (1 - BETA) * (self.public.T @ public)
        estimates = self.first @ real
        squared = [self._squared_error(estimates)]
        for _ in range(GENERATIONS):
            labels = self.synthetic @ estimates
            labels += normal((ENTITIES, ROWS, replicates))
            pool = (self.turned_synthetic @ labels).mean(0)
            estimates = self.later @ ((1 - ALPHA) * real + ALPHA * pool)
            squared.append(self._squared_error(estimates))
        return np.array(squared)

    def _squared_error(self, estimates: np.ndarray) -> np.ndarray:
        return ((estimates - self.theta[:, None]) ** 2).sum(1)


def measure() -> list[Claim]:
    rng = np.random.default_rng(1)
    each, one = (ENTITIES, ROWS, DIMENSION), (ROWS, DIMENSION)
    features = Features(rng.standard_normal(each), rng.standard_normal(one), rng.standard_normal(each))
    ecosystem = ecosystem_from_features(features, theta=rng.standard_normal(DIMENSION))
    weights, sampler = Weights(ALPHA, BETA), make_moment_sampler(ecosystem)

    def part(key: jax.Array) -> RunningMoments:
        return simulate_moments(sampler, weights, GENERATIONS, REPLICATES // PARTS, key)

    def moments(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        simulation = summarize_moments(
            sampler, weights, merge_moment_stack(sharded_vmap(part, jax.random.split(key, PARTS), tile=1))
        )
        return simulation.mse, simulation.mse_se

    run, compile_seconds = compiled(moments, jax.random.key(0))
    rows = NumpyRows(features, np.asarray(ecosystem.public.truth))
    exact = np.asarray(trajectory(ecosystem, weights, GENERATIONS, mse))
    found, standard_errors = map(np.asarray, run(jax.random.key(0)))
    _assert_right("moments", found, standard_errors, exact)
    errors = rows(ROW_REPLICATES)
    _assert_right("rows", errors.mean(-1), errors.std(-1, ddof=1) / np.sqrt(ROW_REPLICATES), exact)

    pairs = interleaved(lambda: run(jax.random.key(1)), lambda: rows(ROW_REPLICATES), pairs=7)
    return [
        Claim(
            f"moments against row-level NumPy at {ROWS} rows per dataset: MSE of every generation, per replicate",
            pairs.ratio * REPLICATES / ROW_REPLICATES,
            100,
            details={
                "entities": ENTITIES,
                "dimension": DIMENSION,
                "generations": GENERATIONS,
                "replicates": REPLICATES,
                "row_replicates": ROW_REPLICATES,
                "microseconds_per_replicate": 1e6 * pairs.a_seconds / REPLICATES,
                "row_microseconds_per_replicate": 1e6 * pairs.b_seconds / ROW_REPLICATES,
                "compile_seconds": compile_seconds,
                "ratios": [ratio * REPLICATES / ROW_REPLICATES for ratio in pairs.ratios],
            },
        )
    ]


def _assert_right(name: str, mean: np.ndarray, standard_error: np.ndarray, exact: np.ndarray) -> None:
    """Check that the simulated errors agree with the theory within their standard errors."""
    z = np.abs(mean - exact) / standard_error
    if not z.max() < LARGEST_Z:
        raise AssertionError(f"{name}: an error is {z.max():.1f} standard errors from the theory")
