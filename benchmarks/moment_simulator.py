"""Simulation by moments: d numbers a dataset where the literal simulation draws 1000 labels."""

import jax
import numpy as np
from crossfeed.sim import make_moment_sampler, merge_stack, sharded_vmap, simulate_moments, summarize
from crossfeed.theory import Features, Weights, ecosystem_from_features, mse, trajectory
from timing import Claim, compiled, interleaved

ENTITIES, DIMENSION, ROWS, GENERATIONS = 4, 15, 1000, 20
ALPHA, BETA = 0.5, 0.5
REPLICATES, ROW_REPLICATES = 2**16, 2**8
PARTS = 8  # shared out over the cores
LARGEST_Z = 6.0


class NumpyRows:
    """Every label of every dataset, replicates as columns; all that does not depend on labels is computed once."""

    def __init__(self, features: Features, theta: np.ndarray):
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
        noise = lambda *shape: self.generator.standard_normal((*shape, replicates))  # noqa: E731
        private = (self.private @ self.theta)[..., None] + noise(ENTITIES, ROWS)
        public = (self.public @ self.theta)[:, None] + noise(ROWS)
        real = BETA * (self.turned_private @ private) + (1 - BETA) * (self.public.T @ public)
        estimates = self.first @ real
        squared = [self._squared_error(estimates)]
        for _ in range(GENERATIONS):
            labels = self.synthetic @ estimates
            labels += noise(ENTITIES, ROWS)
            pool = (self.turned_synthetic @ labels).mean(0)
            estimates = self.later @ ((1 - ALPHA) * real + ALPHA * pool)
            squared.append(self._squared_error(estimates))
        return np.array(squared)

    def _squared_error(self, estimates):
        return ((estimates - self.theta[:, None]) ** 2).sum(1)


def measure() -> list[Claim]:
    rng = np.random.default_rng(1)
    draw = lambda *shape: rng.standard_normal((*shape, ROWS, DIMENSION))  # noqa: E731
    features = Features(draw(ENTITIES), draw(), draw(ENTITIES))
    ecosystem = ecosystem_from_features(features, theta=rng.standard_normal(DIMENSION))
    weights, sampler = Weights(ALPHA, BETA), make_moment_sampler(ecosystem)

    def part(key):
        return simulate_moments(sampler, weights, GENERATIONS, REPLICATES // PARTS, key)

    def moments(key):
        simulation = summarize(sampler, weights, merge_stack(sharded_vmap(part, jax.random.split(key, PARTS), tile=1)))
        return simulation.mse, simulation.mse_se

    run, compile_seconds = compiled(moments, jax.random.key(0))
    rows = NumpyRows(features, np.asarray(ecosystem.theta))
    exact = np.asarray(trajectory(ecosystem, weights, GENERATIONS, mse))
    _assert_right("moments", *map(np.asarray, run(jax.random.key(0))), exact)
    errors = rows(ROW_REPLICATES)
    _assert_right("rows", errors.mean(-1), errors.std(-1, ddof=1) / np.sqrt(ROW_REPLICATES), exact)

    pairs = interleaved(lambda: run(jax.random.key(1)), lambda: rows(ROW_REPLICATES), pairs=7)
    each, each_by_rows = pairs.a_seconds / REPLICATES, pairs.b_seconds / ROW_REPLICATES
    return [
        Claim(
            f"moments against row-level NumPy at {ROWS} rows a dataset, MSE of every generation, a replicate",
            pairs.ratio * REPLICATES / ROW_REPLICATES,
            100,
            details={
                "entities": ENTITIES,
                "dimension": DIMENSION,
                "generations": GENERATIONS,
                "replicates": REPLICATES,
                "row_replicates": ROW_REPLICATES,
                "microseconds_a_replicate": each * 1e6,
                "row_microseconds_a_replicate": each_by_rows * 1e6,
                "compile_seconds": compile_seconds,
                "ratios": [ratio * REPLICATES / ROW_REPLICATES for ratio in pairs.ratios],
            },
        )
    ]


def _assert_right(name: str, mean, standard_error, exact) -> None:
    """Both simulate the same law: their errors are the theory's, within their own standard errors."""
    z = np.abs(mean - exact) / standard_error
    if not z.max() < LARGEST_Z:
        raise AssertionError(f"{name}: an error is {z.max():.1f} standard errors from the theory")
