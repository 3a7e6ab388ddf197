"""Bootstrap: how often each text is drawn in resamples of a corpus, and the interval that a statistic's resamples hold."""

import numpy as np
from jaxtyping import Float

_RESAMPLES = 400
_LEVELS = (2.5, 97.5)  # percentiles: intervals hold 95 % of resamples


def resample(count: int, rng: np.random.Generator) -> Float[np.ndarray, "resample text"]:
    """How often each text is drawn: first once each, as in the corpus itself, then at random."""
    drawn = rng.multinomial(count, np.full(count, 1 / count), _RESAMPLES)
    return np.vstack([np.ones(count), drawn])


def interval(values: Float[np.ndarray, "resample ..."]) -> Float[np.ndarray, "2 ..."]:
    """Lower and upper end of what resamples gave; the first value is that of the corpus itself, and does not count."""
    return np.nanpercentile(values[1:], _LEVELS, axis=0)
