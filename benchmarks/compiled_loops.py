"""Spectral radius and mean MSE on a grid of α and β, against loops over small matrices that numba compiles, in CPU time.

A fine diagram is interpolated, where the loops compute every point.

The loops are what one would write by hand for this model alone: the consensus form, inverses by Gauss-Jordan elimination,
covariances by doubling. They need the dependency group `bench`, and one core (`taskset -c 0`): the CPU time of several counts
threads of XLA that wait for each other.
"""

# pyright: reportUntypedFunctionDecorator=false
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import jax.numpy as jnp
import numba  # pyright: ignore[reportMissingImports]
import numpy as np
from crossfeed.theory import Ecosystem, random_gaussian, save_ecosystem
from fine_diagrams import swept
from grids import grid
from timing import Claim, assert_agree, compiled, cpu_seconds

SIZES = {(4, 4): (101, 3.0), (10, 8): (101, 1.5), (4, 15): (51, 2.0), (4, 32): (21, 1.5)}
"""For K and d, the points along each axis, and the ratio of the loops' time to ours that is to be reached."""
PAIRS = 5
FINE = """
[sweep]
quantities = ["spectral_radius", "mean_mse"]
memory_mib = 1024
interpolate = 1e-10
[ecosystem]
family = "file"
path = "{path}"
[axes]
alpha = {{ from = 0.01, to = 0.98, points = 1001 }}
beta = {{ from = 0.01, to = 0.98, points = 1001 }}
"""
Matrix = np.ndarray


@numba.njit(fastmath=True)
def product(left: Matrix, right: Matrix, out: Matrix) -> None:
    """Write the product of two matrices to a third."""
    out[:] = 0
    for i in range(len(out)):
        for k in range(len(out)):
            factor = left[i, k]
            for j in range(len(out)):
                out[i, j] += factor * right[k, j]


@numba.njit(fastmath=True)
def invert(matrix: Matrix) -> None:
    """Replace a matrix that needs no pivots by its inverse."""
    for k in range(len(matrix)):
        pivot = 1 / matrix[k, k]
        matrix[k, k] = 1.0
        matrix[k] *= pivot
        for i in range(len(matrix)):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(len(matrix)):
                    matrix[i, j] -= factor * matrix[k, j]


@numba.njit(fastmath=True)
def spectral_radius(matrix: Matrix, power: Matrix, squared: Matrix) -> float:
    """By squaring, until the power has rank one or its norm gives the radius by Gelfand's formula."""
    size = math.sqrt((matrix**2).sum())
    if size == 0:
        return 0.0
    power[:] = matrix / size
    logarithm, exponent = 0.0, 1.0
    for _ in range(45):
        product(power, power, squared)
        trace = np.trace(power)
        if math.sqrt(((squared - trace * power) ** 2).sum()) < 1e-13 * abs(trace) * math.sqrt((power**2).sum()):
            return abs((power * matrix.T).sum() / trace)
        norm = math.sqrt((squared**2).sum())
        exponent /= 2
        logarithm += exponent * math.log(norm)
        power[:] = squared / norm
    return size * math.exp(logarithm)


@numba.njit(fastmath=True)
def grid_by_loops(
    private: Matrix, public: Matrix, published: Matrix, noise: Matrix, alphas: Matrix, betas: Matrix
) -> tuple[Matrix, Matrix]:
    """Mean MSE and ρ for equal weights of all entities; noise variance 1, and public data of full rank."""
    entities, size = private.shape[:2]
    errors, radii = np.empty((len(alphas), len(betas))), np.empty((len(alphas), len(betas)))
    gains, maps = np.empty_like(private), np.empty_like(private)
    crossed = np.empty_like(private)
    feedback, resolvent = np.empty((size, size)), np.empty((size, size))
    one, two, spread = np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
    pool = published.sum(0)
    for x in range(len(alphas)):
        for y in range(len(betas)):
            alpha, own, common = alphas[x], (1 - alphas[x]) * betas[y], (1 - alphas[x]) * (1 - betas[y])
            feedback[:] = 0
            for k in range(entities):
                gains[k] = own * private[k] + common * public + alpha * pool
                invert(gains[k])
                product(published[k], gains[k], maps[k])
                feedback += alpha * maps[k]
            radii[x, y] = spectral_radius(feedback, one, two)
            resolvent[:] = np.eye(size) - feedback
            invert(resolvent)
            spread[:] = noise
            power = feedback.copy()
            while np.abs(power).max() > 1e-10:
                product(power, spread, one)
                product(one, power.T.copy(), two)
                spread += two
                product(power, power, one)
                power[:] = one
            for k in range(entities):
                product(resolvent, maps[k], one)
                one *= own
                product(one, private[k], crossed[k])
                product(crossed[k], one.T.copy(), two)
                spread += two
            one[:] = common / alpha * (resolvent - np.eye(size))
            product(one, public, two)
            shared = two.copy()
            product(shared, one.T.copy(), two)
            spread += two
            total = 0.0
            for k in range(entities):
                mixed = own * crossed[k] + common * shared
                one[:] = own**2 * private[k] + common**2 * public + alpha**2 * spread + alpha * (mixed + mixed.T)
                product(gains[k], one, two)
                total += (two * gains[k]).sum()
            errors[x, y] = total / entities
    return errors, radii


def measure() -> list[Claim]:
    return [*(claim_of_grid(*size, *setting) for size, setting in SIZES.items()), *claims_of_fine_diagram()]


def gaussian(entities: int, dimension: int) -> Ecosystem:
    return random_gaussian(jax.random.key(0), entities, dimension, max(1, dimension // 3), public_rows=2 * dimension)


def loops_over(ecosystem: Ecosystem, axis: Matrix) -> tuple[Matrix, Matrix]:
    """The numbers of `grids.grid`, by the loops."""
    private, public = np.asarray(ecosystem.private.gram), np.asarray(ecosystem.public.gram)
    published = np.asarray(ecosystem.shares[:, None, None] * ecosystem.synthetic.gram)
    noise = np.einsum("k,kab->ab", np.asarray(ecosystem.shares), published)
    return grid_by_loops(private, public, published, noise, axis, axis)


def claim_of_grid(entities: int, dimension: int, points: int, target: float) -> Claim:
    ecosystem = gaussian(entities, dimension)
    axis = jnp.linspace(0.01, 0.98, points)
    ours, _ = compiled(lambda axis: grid(ecosystem, axis), axis)
    values = np.asarray(axis)
    for name, one, other in zip(("mse", "radius"), ours(axis), loops_over(ecosystem, values), strict=True):
        assert_agree(name, one, other)
    pairs = [
        (cpu_seconds(lambda: ours(axis)), cpu_seconds(lambda: loops_over(ecosystem, values))) for _ in range(PAIRS)
    ]
    details = {"microseconds_per_point": (np.median(pairs, axis=0) / points**2 * 1e6).tolist(), "pairs": pairs}
    ratio = float(np.median([loops / own for own, loops in pairs]))
    return Claim(
        f"grid of {points} × {points}, K = {entities}, d = {dimension}, against numba", ratio, target, details=details
    )


def claims_of_fine_diagram() -> list[Claim]:
    """Sweeps in processes of their own, of which the first compiles, against compiled loops between them."""
    ecosystem = gaussian(4, 15)
    with TemporaryDirectory() as folder, TemporaryDirectory() as programs:
        path = Path(folder, "ecosystem.npz")
        save_ecosystem(ecosystem, path)
        spec = FINE.format(path=path)
        sweep, first = swept(spec, programs)
        results: list[tuple[Matrix, Matrix]] = []
        loops = cpu_seconds(lambda: results.append(loops_over(ecosystem, sweep.alpha.to_numpy())))
        _, second = swept(spec, programs)
    for name, theirs in zip(("mean_mse", "spectral_radius"), results[0], strict=True):
        assert_agree(name, sweep[name].transpose("alpha", "beta").to_numpy(), theirs)
    details = {"loops_seconds": loops, "sweep_seconds": [first, second]}
    statement = "interpolated sweep of 1001 × 1001, K = 4, d = 15, against numba at every point"
    return [
        Claim(statement, loops / first, 30.0, details=details),
        Claim(f"{statement}, with kept programs", loops / second, 30.0),
    ]
