"""Why a number is there, or is not: codes that stay with values while JAX traces them."""

import equinox as eqx


class RESULTS(eqx.Enumeration):
    """Outcome of a computation. `RESULTS[code]` is the sentence that says it.

    Example:
        >>> from crossfeed.theory import RESULTS
        >>> print(RESULTS[RESULTS.no_limit])
        there is no limit: the spectral radius is not below 1
    """

    successful = ""
    no_limit = "there is no limit: the spectral radius is not below 1"
    ill_conditioned = (
        "the training data of an entity are too ill-conditioned for float64: rescale the features, or drop those that are "
        "nearly linear combinations of others"
    )
    depends_on_truth = "the estimate is biased, so its error depends on the true parameter, which is not given"
    truths_differ = "the truths of the data differ, so no estimator from all of them is unbiased for every entity"
    data_do_not_span = "private and public data together do not span all features, so there is no unbiased estimator"
