"""Why a number is there, or is not: codes that stay with values while JAX traces them."""

from typing import Any


class Codes(type):
    """Metaclass of enumerations: `CODES[code]` is the sentence that says what a code means."""

    sentences: tuple[str, ...]

    def __getitem__(cls, code: Any) -> str:
        return cls.sentences[int(code)]


class RESULTS(metaclass=Codes):
    """Codes of the outcome of a computation. `RESULTS[code]` is the sentence that says it.

    Example:
        >>> from crossfeed.theory import RESULTS
        >>> print(RESULTS[RESULTS.no_limit])
        there is no limit: the spectral radius is not below 1
    """

    sentences = (
        "",
        "there is no limit: the spectral radius is not below 1",
        "the training data of an entity are too ill-conditioned for float64: rescale the features, drop those that are "
        "nearly linear combinations of others, or give more weight to data that alone show some direction",
        "the estimate is biased, so its error depends on the true parameter, which is not given",
        "the truths of the data differ, so no estimator from all of them is unbiased for every entity",
        "private and public data together do not span all features, so there is no unbiased estimator",
    )
    successful, no_limit, ill_conditioned, depends_on_truth, truths_differ, data_do_not_span = range(len(sentences))
