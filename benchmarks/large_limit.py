"""Limit of one large ecosystem, K = d = 64: a 64 × 64 equation where the lifted form has one of 4096 × 4096."""

import jax
from baselines import ScipyLifted
from crossfeed.theory import Ecosystem, Weights, limit, mse, mspe, random_gaussian
from timing import Claim, assert_agree, compiled, fit_slope, interleaved, median_seconds

DIMENSION, ENTITIES = 64, 64
LIFTED_ENTITIES = (3, 4, 6, 8, 12, 16)  # Kd = 192 … 1024, which SciPy finishes in seconds
ALPHA, BETA = 0.5, 0.5


def measure() -> list[Claim]:
    def errors(ecosystem: Ecosystem) -> tuple[jax.Array, jax.Array]:
        law = limit(ecosystem, Weights(ALPHA, BETA))
        return mse(law), mspe(law)

    # Times of the lifted form at increasing sizes; both sides must agree at every size.
    ecosystems = [random_gaussian(jax.random.key(k), k, DIMENSION, DIMENSION // 4) for k in LIFTED_ENTITIES]
    lifted = [ScipyLifted(ecosystem) for ecosystem in ecosystems]
    lifted_seconds = []
    for ecosystem, form in zip(ecosystems, lifted, strict=True):
        theirs = form(ALPHA, BETA, with_radius=False)[:2]
        for name, left, right in zip(("mse", "mspe"), jax.jit(errors)(ecosystem), theirs, strict=True):
            assert_agree(name, left, right)
        lifted_seconds.append(median_seconds(lambda form=form: form(ALPHA, BETA, with_radius=False), repeats=3))
    sizes = [entities * DIMENSION for entities in LIFTED_ENTITIES]
    slope, slope_error = fit_slope(sizes, lifted_seconds)

    # The lifted form at its largest size against the consensus form at full size, interleaved, then scaled by the fitted
    # power law.
    large = random_gaussian(jax.random.key(0), ENTITIES, DIMENSION, DIMENSION // 4)
    run, compile_seconds = compiled(errors, large)
    pairs = interleaved(lambda: run(large), lambda: lifted[-1](ALPHA, BETA, with_radius=False), pairs=3)
    growth = ENTITIES * DIMENSION / sizes[-1]
    return [
        Claim(
            f"limit at K = {ENTITIES}, d = {DIMENSION} against lifted SciPy (extrapolated from Kd = {sizes[-1]})",
            pairs.ratio * growth**slope,
            1000,
            details={
                "seconds": pairs.a_seconds,
                "compile_seconds": compile_seconds,
                "lifted_sizes": sizes,
                "lifted_seconds": lifted_seconds,
                "lifted_exponent": slope,
                "lifted_exponent_standard_error": slope_error,
                "ratio_before_extrapolation": pairs.ratio,
                "ratio_two_standard_errors_lower": pairs.ratio * growth ** (slope - 2 * slope_error),
                "ratio_two_standard_errors_higher": pairs.ratio * growth ** (slope + 2 * slope_error),
            },
        )
    ]
