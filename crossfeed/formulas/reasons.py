"""Why a measure of a law is no number, as a code that stays with the values while JAX traces them."""

from .arrays import namespace
from .biases import biased
from .covariances import total_variance
from .law import Law
from .linear_algebra import full_rank_by_eigenvalues
from .results import RESULTS
from .shapes import Array, Float, Int


def reason(law: Law) -> Int[Array, ""]:
    """Code in `RESULTS` of why some error of a law is no number; `RESULTS.successful` if all are numbers.

    In this order: no limit, or data so ill-conditioned that float64 cannot tell; a biased estimate without a known truth; an error
    of which float64 leaves no digit, because data that alone show some direction have next to no weight; truths that differ; real
    data that do not span. The last two concern relative efficiency only, and errors are then still numbers.

    Args:
        law: joint law of the estimates.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import RESULTS, Weights, limit, reason, worst_case
        >>> law = limit(worst_case(4, 1.0), Weights(0.5, 1.0), throw=False)
        >>> print(RESULTS[reason(law)])
        there is no limit: the spectral radius is not below 1
    """
    return reason_of_errors(law, total_variance(law))


def reason_of_errors(law: Law, errors: Float[Array, " entity"]) -> Int[Array, ""]:
    """The same, from errors that are known already.

    Args:
        law: joint law of the estimates.
        errors: the law's `total_variance`; or its `mse`, which raises an error for some laws unless JAX traces.
    """
    xp, found = namespace(law.fit.gain), reason_before_errors(law)
    illegible = (xp.isnan(errors) & law.ecosystem.present).any()
    first = (found == RESULTS.depends_on_truth) | ~law.exists
    return xp.where(illegible & ~first, RESULTS.ill_conditioned, found)


def reason_before_errors(law: Law) -> Int[Array, ""]:
    """The same as far as it shows without computing errors."""
    ecosystem, xp = law.ecosystem, namespace(law.fit.gain)
    known = ecosystem.private.truth is not None
    lacks_truth = xp.zeros((), bool) if known else (biased(law) & ecosystem.present).any()
    found = xp.where(full_rank_by_eigenvalues(ecosystem.information), RESULTS.successful, RESULTS.data_do_not_span)
    found = xp.where(ecosystem.truths_differ, RESULTS.truths_differ, found)
    found = xp.where(lacks_truth, RESULTS.depends_on_truth, found)
    return xp.where(law.exists, found, law.result)
