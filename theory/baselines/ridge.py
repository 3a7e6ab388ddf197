"""Ridge regression that replaces its data in every generation, in high dimension."""

import math

from crossfeed.errors import InvalidInput

from .domains import Count, GenerationsFromZero, NotNegative, Positive
from .law import PerGenerationFromZero, law
from .series import counted


@law
def replace_ridge(
    features: Count,
    rows: Count,
    synthetic_rows: Count,
    penalty: Positive,
    generations: GenerationsFromZero,
    noise_variance: NotNegative = 1.0,
    synthetic_noise_variance: NotNegative = 1.0,
    squared_norm: NotNegative = 1.0,
) -> PerGenerationFromZero:
    """Error of ridge regression after n synthetic generations, with isotropic features.

    With φ = d/T, φ_0 = d/T_0 and κ = ½(λ+φ-1+√((λ+φ-1)²+4λ)):
    (κ²‖w‖²+σ²φ)/((1+κ)²-φ) + nσ_0² φ_0/(1-φ_0) (1+κ)⁻² (1 + φκ²/((1+κ)²-φ)).
    The last fit, to T rows, has the penalty λ; the n models before it are fitted by least squares to T_0 rows. It is the
    limit of d, T and T_0 growing in proportion: as λ → 0 it differs from the exact `replace_two_sizes` by terms of order
    1/T.

    Args:
        features: number of features d.
        rows: number of rows T of the last fit.
        synthetic_rows: number of rows T_0 of each earlier fit, more than d.
        penalty: penalty λ, relative to X'X/T.
        generations: last number n of synthetic generations.
        noise_variance: variance σ² of the noise of one label of the last fit.
        synthetic_noise_variance: variance σ_0² of the noise of one label of the earlier fits.
        squared_norm: ‖w‖², squared norm of the true parameter.

    Source:
        arXiv 2402.07712, Corollary 4.7

    Example:
        >>> from crossfeed.theory.baselines import replace_ridge
        >>> print(replace_ridge(300, 1000, 600, 0.1, 1, noise_variance=0.01, synthetic_noise_variance=0.04).round(6))
        [0.021678 0.052853]
    """
    if synthetic_rows <= features:
        raise InvalidInput(
            f"synthetic_rows is {synthetic_rows}, but must be above {features}, which is features: else the error of the "
            "earlier models is not finite"
        )
    phi, phi_0 = features / rows, features / synthetic_rows
    half = (penalty + phi - 1) / 2
    root = math.sqrt(half**2 + penalty)
    kappa = half + root if half >= 0 else penalty / (root - half)  # the same, without cancellation
    rest = kappa * (2 + kappa) + (1 - phi)
    first = (kappa**2 * squared_norm + noise_variance * phi) / rest
    growth = synthetic_noise_variance * phi_0 / (1 - phi_0) * (1 + phi * kappa**2 / rest) / (1 + kappa) ** 2
    return first + counted(0, generations) * growth
