"""Monte Carlo simulation of regressions, with standard errors of whatever is measured, and with reasons for what failed."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from crossfeed.errors import InvalidInput

from ...theory.weights import Weights
from ..sharding import sharded_vmap
from .fitting import FITS
from .regression import Regression, Run, begin, proceed

NO_EXACT_LAW = "simulated: this regime has no exact law, and the standard errors are those of the mean over replicates"
"""What to say beside the numbers."""

_OUTCOMES = {
    "no_data": FITS.no_data,
    "no_finite_estimate": FITS.no_finite_estimate,
    "not_converged": FITS.not_converged,
    "earlier": FITS.earlier,
}


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
    measure: Callable[[Float[Array, "entity d"]], PyTree] | None = None,
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
    slots = max(generations, 1) if regression.memory == "accumulate" else 1

    def replicate(key: PRNGKeyArray) -> tuple[Array, Array, PyTree]:
        keys = jax.random.split(key, generations + 1)
        run = begin(keys[0], regression, beta[0], slots)

        def generation(run: Run, now: tuple[Array, Array, Array, Array]) -> tuple[Run, tuple[Array, Array, PyTree]]:
            key, alpha, beta, slot = now
            run = proceed(key, regression, alpha, beta, slot, run)
            return run, _seen(regression, run, measure)

        slot = jnp.arange(generations) % slots
        _, later = jax.lax.scan(generation, run, (keys[1:], alpha[1:], beta[1:], slot))
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), _seen(regression, run, measure), later)

    program = eqx.filter_jit(lambda keys: sharded_vmap(replicate, keys))
    outcomes, errors, measured = program(jax.random.split(key, replicates))
    failed = {name: (outcomes == _code(reason)).sum(0) for name, reason in _OUTCOMES.items()}
    mean = lambda values: jax.tree.map(lambda x: x.mean(0), values)  # noqa: E731
    error = lambda values: jax.tree.map(lambda x: x.std(0, ddof=1) / jnp.sqrt(float(replicates)), values)  # noqa: E731
    return RegressionSimulation(replicates, mean(errors), error(errors), mean(measured), error(measured), failed)


def _seen(
    regression: Regression, run: Run, measure: Callable[[Float[Array, "entity d"]], PyTree] | None
) -> tuple[Int[Array, " entity"], Float[Array, " entity"], PyTree]:
    """Outcome codes, squared errors and what is measured, NaN for entities without an estimate."""
    codes = sum(
        (jnp.where(run.outcomes == reason, _code(reason), 0) for reason in _OUTCOMES.values()), jnp.zeros((), int)
    )
    estimates = jnp.where((codes == 0)[:, None], run.estimates, jnp.nan)
    squared = ((estimates - regression.truth) ** 2).sum(1)
    return codes, squared, None if measure is None else measure(estimates)


def _code(reason: FITS) -> int:
    return 1 + list(_OUTCOMES.values()).index(reason)
