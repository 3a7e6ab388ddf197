"""Why a measure of a law is no number, as a code that stays with the values while JAX traces them."""

from .arrays import namespace
from .law import Law
from .linear_algebra import kernel_projector
from .measures import biased
from .results import RESULTS
from .shapes import Array, Int


def reason(law: Law) -> Int[Array, ""]:
    """Code in `RESULTS` of why some error of a law is no number; `RESULTS.successful` if all are numbers.

    In this order: ill-conditioned data; no limit; a biased estimate without a known truth; truths that differ; real data that do
    not span. The last two concern relative efficiency only, and errors are then still numbers.

    Args:
        law: joint law of the estimates.

    Example:
        >>> import jax.numpy as jnp
        >>> from crossfeed.theory import RESULTS, Weights, limit, reason, worst_case
        >>> law = limit(worst_case(4, 1.0), Weights(0.5, 1.0), throw=False)
        >>> print(RESULTS[reason(law)])
        there is no limit: the spectral radius is not below 1
    """
    ecosystem, xp = law.ecosystem, namespace(law.fit.gain)
    known = ecosystem.private.truth is not None
    lacks_truth = xp.zeros((), bool) if known else (biased(law) & ecosystem.present).any()
    total = (ecosystem.private.gram / ecosystem.private.noise_variance[:, None, None]).sum(0)
    unseen = xp.trace(kernel_projector(total + ecosystem.public.gram / ecosystem.public.noise_variance)) > 0.5
    found = xp.where(unseen, RESULTS.data_do_not_span, RESULTS.successful)
    found = xp.where((ecosystem.deviations != 0).any(), RESULTS.truths_differ, found)
    found = xp.where(lacks_truth, RESULTS.depends_on_truth, found)
    return xp.where(law.exists, found, law.result)
