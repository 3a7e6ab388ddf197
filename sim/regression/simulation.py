"""Monte Carlo simulation of regressions, with standard errors of whatever is measured, and with reasons for what failed."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray, PyTree

from crossfeed.errors import InvalidInput
from crossfeed.formulas.memories import Replace

from ...theory.weights import Weights
from ..sharding import sharded_vmap
from .fitting import FITS
from .regression import Regression, Run, begin, proceed

NO_EXACT_LAW = "simulated: this regime has no exact law, and the standard errors are those of the mean over replicates"
"""What to say beside the numbers."""

_REASONS = {
    "no_data": FITS.no_data,
    "no_finite_estimate": FITS.no_finite_estimate,
    "not_converged": FITS.not_converged,
    "earlier": FITS.earlier,
}
_Measure = Callable[[Float[Array, "entity d"]], PyTree]


class RegressionSimulation(eqx.Module):
    """Means over independent replicates at generations 0..T, with standard errors.

    A mean over replicates of which one has no estimate is no number: it is NaN, and `failed` counts the reasons.

    Attributes:
        replicates: number of replicates.
        mse: mean of ‖θ̂_k - θ_k‖², in squared units of θ.
        mse_se: its standard error, from the spread over replicates.
        measured: means of what `measure` returns, or None.
        measured_se: their standard errors.
        failed: how many replicates of each entity have no estimate, by reason: the names of `FITS`.
    """

    replicates: int = eqx.field(static=True)
    mse: Float[Array, "generation entity"]
    mse_se: Float[Array, "generation entity"]
    measured: PyTree
    measured_se: PyTree
    failed: dict[str, Int[Array, "generation entity"]]


def simulate_regression(
    regression: Regression,
    weights: Weights,
    generations: int,
    replicates: int,
    key: PRNGKeyArray,
    measure: _Measure | None = None,
) -> RegressionSimulation:
    """Monte Carlo estimates from independent replicates of a regime, shared by the process's devices.

    Args:
        regression: the regime, of K entities.
        weights: α and β of the data kinds, constant or per generation.
        generations: T ≥ 0.
        replicates: at least 2.
        key: decides all random numbers.
        measure: function of the estimates of all entities at one generation, of which the mean is wanted too; NaN in whatever it
            returns stays NaN.

    Returns:
        Means and standard errors with leading axis T+1.

    Raises:
        InvalidInput: fewer than two replicates, T negative, or weights that do not fit K and T.

    Example:
        >>> import jax, jax.numpy as jnp, numpy as np
        >>> from crossfeed.sim.regression import Poisson, Regression, simulate_regression
        >>> from crossfeed.theory import Weights, stack_features
        >>> rows = np.ones((4, 1))
        >>> regression = Regression(stack_features([rows], rows), truth=jnp.zeros(1), labels=Poisson())
        >>> found = simulate_regression(regression, Weights(1.0, 1.0), 3, 100, jax.random.key(0))
        >>> found.failed["no_finite_estimate"].sum() > 0, jnp.isnan(found.mse[-1, 0])  # counts that died out
        (Array(True, dtype=bool), Array(True, dtype=bool))
    """
    if replicates < 2:
        raise InvalidInput(f"replicates is {replicates}, but a standard error needs at least 2")
    alpha, beta = weights.per_generation(regression.entities, generations)
    outcomes, errors, measured = _replicates(regression, alpha, beta, jax.random.split(key, replicates), measure)
    failed = {name: (outcomes == reason).sum(0) for name, reason in _REASONS.items()}
    mean = lambda values: jax.tree.map(lambda x: x.mean(0), values)  # noqa: E731
    error = lambda values: jax.tree.map(lambda x: x.std(0, ddof=1) / jnp.sqrt(float(replicates)), values)  # noqa: E731
    return RegressionSimulation(replicates, mean(errors), error(errors), mean(measured), error(measured), failed)


@eqx.filter_jit
def _replicates(
    regression: Regression,
    alpha: Float[Array, "generation entity"],
    beta: Float[Array, "generation entity"],
    keys: Key[Array, " replicate"],
    measure: _Measure | None,
) -> tuple[FITS, Float[Array, "replicate generation entity"], PyTree]:
    """Outcomes, squared errors and what is measured, of every replicate; compiled once for all regressions of one shape."""
    generations = len(alpha) - 1
    slots = 1 if isinstance(regression.memory, Replace) else max(generations, 1)

    def replicate(key: PRNGKeyArray) -> tuple[FITS, Array, PyTree]:
        keys = jax.random.split(key, generations + 1)
        run = begin(keys[0], regression, beta[0], slots)

        def generation(run: Run, now: tuple[Array, Array, Array, Array]) -> tuple[Run, tuple[FITS, Array, PyTree]]:
            key, alpha, beta, slot = now
            run = proceed(key, regression, alpha, beta, slot, run)
            return run, _seen(regression, run, measure)

        slot = jnp.arange(generations) % slots
        _, later = jax.lax.scan(generation, run, (keys[1:], alpha[1:], beta[1:], slot))
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), _seen(regression, run, measure), later)

    return sharded_vmap(replicate, keys)


def _seen(regression: Regression, run: Run, measure: _Measure | None) -> tuple[FITS, Float[Array, " entity"], PyTree]:
    """Outcomes, squared errors and what is measured, NaN for entities without an estimate."""
    fine = jnp.asarray(run.outcomes == FITS.successful)
    estimates = jnp.where(fine[:, None], run.estimates, jnp.nan)
    squared = ((estimates - regression.truth) ** 2).sum(1)
    return run.outcomes, squared, None if measure is None else measure(estimates)
