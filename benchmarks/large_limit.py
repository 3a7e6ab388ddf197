"""The limit at K = 64, d = 64 against SciPy on the lifted form, extrapolated by its measured exponent."""

from statistics import median

import alternatives
import jax
import numpy as np
from compare import Ratio, seconds
from crossfeed.theory import Weights, limit, mse, mspe, random_gaussian
from scipy.stats import linregress

DIMENSION, ENTITIES = 64, 64
_FINISHED = (2, 3, 4, 6, 8, 12)  # K at which the lifted form is timed


@jax.jit
def _ours(ecosystem):
    law = limit(ecosystem, Weights(0.5, 0.5))
    return law.spectral_radius, mse(law), mspe(law)


def measure() -> list[Ratio]:
    """Time both; they agree to 1e-8 where the lifted form finishes."""
    make = lambda k: random_gaussian(jax.random.key(k), k, DIMENSION, 16, public_rows=2 * DIMENSION)  # noqa: E731
    lifted = {}
    for entities in _FINISHED:
        ecosystem = make(entities)
        arrays = alternatives.Arrays(ecosystem)
        work = lambda arrays=arrays: alternatives.lifted_limit(arrays, 0.5, 0.5)  # noqa: E731
        for found, wanted in zip(work(), _ours(ecosystem), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-8)
        lifted[entities] = median(seconds(work) for _ in range(3))
    largest = _FINISHED[-4:]  # small sizes are overhead, and would flatten the slope
    line = linregress(np.log(largest), np.log([lifted[k] for k in largest]))
    predicted = float(np.exp(line.intercept + line.slope * np.log(ENTITIES)))
    low = lifted[largest[-1]] * (ENTITIES / largest[-1]) ** (line.slope - 2 * line.stderr)
    ecosystem = make(ENTITIES)
    seconds(lambda: _ours(ecosystem))
    times = [seconds(lambda: _ours(ecosystem)) for _ in range(7)]
    ours = median(times)
    return [
        Ratio(
            f"limit at K = {ENTITIES}, d = {DIMENSION} against SciPy on the lifted form",
            ours,
            predicted,
            predicted / ours,
            (float(low) / max(times), predicted / min(times)),
            target=1000,
            note=f"SciPy timed for K in {_FINISHED} and extrapolated: time ∝ K^{line.slope:.2f} (± {line.stderr:.2f})",
        )
    ]
