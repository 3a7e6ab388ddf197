"""K entities that train on one pool of all their outputs, in closed form.

V = σ² tr S⁻¹ is the error of a least-squares fit to one dataset with Gram matrix S. With equal features all datasets have
that Gram matrix.
"""

import numpy as np
from scipy.special import betaln, digamma, loggamma, polygamma

from .domains import (
    Count,
    Fraction,
    Fractions,
    Generations,
    GenerationsFromZero,
    NotNegative,
    NotNegatives,
    Positive,
    check_regression,
    check_sum,
)
from .law import PerEntity, PerGeneration, PerGenerationAndEntity, PerGenerationFromZero, law
from .series import counted


@law
def pool_accumulate(
    entities: Count,
    private_weight: Fraction,
    pool_weight: Positive,
    pool_noise: NotNegative,
    generations: Generations,
) -> PerGeneration:
    """Error of K entities that fit their real data and all pools so far, in units of V.

    p²/K + q² + p²(1-1/K)/(1+c(g-1))² + ν Σ_{i=1}^{g-1} 1/(i+1/c)² at generation g, with p + q = 1. Equal features, the same
    inputs in every generation; generation 1 is fitted to real data.

    Args:
        entities: number of entities K.
        private_weight: weight p of an entity's private data; q = 1 - p is that of public data.
        pool_weight: weight c of the pool of one generation; all real data together have weight 1.
        pool_noise: noise ν of the labels of one pool, averaged over entities, in units of V: 1/K if every entity publishes
            as much as it has, 1/c if all rows weigh alike.
        generations: last generation.

    Source:
        this project, docs/baselines.md; for one entity arXiv 2404.01413, Theorem 2

    Example:
        >>> from crossfeed.theory.baselines import pool_accumulate
        >>> print(pool_accumulate(entities=2, private_weight=1.0, pool_weight=1.0, pool_noise=0.5, generations=2))
        [1.   0.75]
    """
    i = counted(1, generations - 1)
    noise = pool_noise * np.concatenate([[0.0], np.cumsum((i + 1 / pool_weight) ** -2)])
    own = private_weight**2 * (1 - 1 / entities) / (1 + pool_weight * counted(0, generations - 1)) ** 2
    return private_weight**2 / entities + (1 - private_weight) ** 2 + own + noise


@law
def pool_accumulate_limit(
    entities: Count, private_weight: Fraction, pool_weight: Positive, pool_noise: NotNegative
) -> float:
    """Limit of `pool_accumulate`: error of K entities that fit all pools of ever more generations, in units of V.

    p²/K + q² + νψ'(1+1/c), with the trigamma function ψ'; for c = 1, ν = 1/K and p = 1 it is π²/6 · 1/K.

    Args:
        entities: number of entities K.
        private_weight: weight p of an entity's private data; q = 1 - p is that of public data.
        pool_weight: weight c of the pool of one generation; all real data together have weight 1.
        pool_noise: noise ν of the labels of one pool, averaged over entities, in units of V.

    Source:
        this project, docs/baselines.md; for one entity arXiv 2404.01413, Theorem 2

    Example:
        >>> from crossfeed.theory.baselines import pool_accumulate_limit
        >>> print(f"{pool_accumulate_limit(entities=2, private_weight=1.0, pool_weight=1.0, pool_noise=0.5):.6f}")
        0.822467
    """
    noise = pool_noise * polygamma(1, 1 + 1 / pool_weight)
    return float(private_weight**2 / entities + (1 - private_weight) ** 2 + noise)


@law
def pool_accumulate_shares(shares: Fractions, generations: Generations) -> PerGenerationAndEntity:
    """Error of entities that fit their own real data and all pools so far, with unequal shares, in units of V.

    W₂ Σ_{i≤t} 1/i² + (1-2w_k+W₂)/t² + 2(w_k-W₂)/t at generation t, W₂ = Σ w_k². Equal features, the same inputs in every
    generation; a pool weighs as much as the real data of one entity; generation 1 is fitted to real data.

    Args:
        shares: shares w_k of the pool, one per entity, with sum 1.
        generations: last generation.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import pool_accumulate_shares
        >>> print(pool_accumulate_shares(shares=[0.5, 0.5], generations=2))
        [[1.   1.  ]
         [0.75 0.75]]
    """
    check_sum("shares", shares)
    w, t = np.array(shares), counted(1, generations)[:, None]
    concentration = np.sum(w**2)
    common = concentration * np.cumsum(t**-2)[:, None]
    return common + (1 - 2 * w + concentration) / t**2 + 2 * (w - concentration) / t


@law
def pool_accumulate_shares_limit(shares: Fractions) -> float:
    """Limit of `pool_accumulate_shares`: error of every entity after ever more generations, in units of V.

    W₂ π²/6, W₂ = Σ w_k².

    Args:
        shares: shares w_k of the pool, one per entity, with sum 1.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import pool_accumulate_shares_limit
        >>> print(f"{pool_accumulate_shares_limit(shares=[0.5, 0.5]):.6f}")
        0.822467
    """
    check_sum("shares", shares)
    return float(np.sum(np.array(shares) ** 2) * np.pi**2 / 6)


@law
def pool_accumulate_fresh(
    features: Count, rows: Count, pool_rows: Count, generations: Generations, noise_variance: Positive = 1.0
) -> PerGeneration:
    """Expected error of entities that share their real data and fit all pools so far, with fresh inputs.

    σ²d{1/(n-D) + Σ_{j=1}^{g-1} c/[(1+cj)((1+cj)n-D)]} at generation g, c = m/n, D = d + 1. All rows weigh alike; Gaussian
    features; generation 1 is fitted to real data. It does not depend on the number of entities, which are all alike.

    Args:
        features: number of features d.
        rows: number n of real rows, at least d + 2.
        pool_rows: number m of rows of the pool of one generation.
        generations: last generation.
        noise_variance: variance σ² of the noise of one label.

    Source:
        this project, docs/baselines.md; it is `accumulate_fresh` where m = n

    Example:
        >>> from crossfeed.theory.baselines import pool_accumulate_fresh
        >>> print(pool_accumulate_fresh(features=2, rows=5, pool_rows=5, generations=2).round(6))
        [1.       1.142857]
    """
    check_regression(features, rows)
    total = rows + pool_rows * counted(1, generations - 1)
    steps = pool_rows / (total * (total - features - 1))
    return noise_variance * features * (1 / (rows - features - 1) + np.concatenate([[0.0], np.cumsum(steps)]))


@law
def pool_accumulate_fresh_limit(
    features: Count, rows: Count, pool_rows: Count, noise_variance: Positive = 1.0
) -> float:
    """Limit of `pool_accumulate_fresh`: expected error of entities that share real data, with fresh inputs.

    σ²d{1/(n-D) + [ψ(1+1/c) - ψ(1+(1-D/n)/c)]/D}, c = m/n, D = d + 1, with the digamma function ψ.

    Args:
        features: number of features d.
        rows: number n of real rows, at least d + 2.
        pool_rows: number m of rows of the pool of one generation.
        noise_variance: variance σ² of the noise of one label.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import pool_accumulate_fresh_limit
        >>> print(f"{pool_accumulate_fresh_limit(features=2, rows=5, pool_rows=5):.6f}")
        1.322779
    """
    check_regression(features, rows)
    missing = features + 1
    steps = (digamma(1 + rows / pool_rows) - digamma(1 + (rows - missing) / pool_rows)) / missing
    return float(noise_variance * features * (1 / (rows - missing) + steps))


@law
def pool_accumulate_amplification(rank: Count, ratio: NotNegative) -> float:
    """Largest factor by which accumulating ecosystems amplify an error, over all generations together.

    Γ(1+λ)/(Γ(2+r_1)Γ(2+r_2)) with r_1 + r_2 = λ - 1, r_1r_2 = sλ and s = (√m-1)/2. It bounds any ecosystem whose features
    have these m and λ, however misaligned, and is attained in the limit: a power of λ where replacement diverges
    exponentially.

    Args:
        rank: m, the smaller of the number of publishing entities and the rank of the pool's Gram matrix.
        ratio: λ, largest ratio of the weight of real data to that of one generation's pool in any direction.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import pool_accumulate_amplification
        >>> print(f"{pool_accumulate_amplification(rank=4, ratio=10.0):.4f}")
        2.7962
    """
    half, product = (ratio - 1) / 2, (np.sqrt(rank) - 1) / 2 * ratio
    if half**2 < product:  # the roots are complex
        root = 2 + complex(half, np.sqrt(product - half**2))
        return float(np.exp(loggamma(1 + ratio) - 2 * loggamma(root).real))
    larger = half + np.copysign(np.sqrt(half**2 - product), half)
    smaller = product / larger if larger else 0.0
    return float(np.exp(-betaln(2 + larger, 2 + smaller)) / ((ratio + 1) * (ratio + 2)))


@law
def pool_recursion_shares(shares: Fractions, generations: GenerationsFromZero) -> PerGenerationFromZero:
    """Error of entities that train on the pool alone, with unequal shares, in units of V.

    1 at t = 0, the fit to real data, and W₂(1+t) at generation t ≥ 1, W₂ = Σ w_k². α = β = 1, equal features.

    Args:
        shares: shares w_k of the pool, one per entity, with sum 1.
        generations: last generation.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import pool_recursion_shares
        >>> print(pool_recursion_shares(shares=[0.9, 0.1], generations=3))
        [1.   1.64 2.46 3.28]
    """
    check_sum("shares", shares)
    errors = np.sum(np.array(shares) ** 2) * counted(1, generations + 1)
    errors[0] = 1.0
    return errors


@law
def homogenization_price(alpha: Fraction, beta: Fraction, squared_distances: NotNegatives) -> PerEntity:
    """Squared bias of entities whose truths differ, in the limit.

    (1-āb)²‖θ_k-θ̄‖², ā = 1 - α: the mean of entity k's estimate is āb θ_k + ab θ̄ + b̄ θ_*. Equal features, and θ_* = θ̄ for
    public data.

    Args:
        alpha: weight α of the pool.
        beta: weight β of private against public data.
        squared_distances: ‖θ_k-θ̄‖², squared distance of each entity's truth from the mean truth.

    Source:
        this project, docs/baselines.md

    Example:
        >>> from crossfeed.theory.baselines import homogenization_price
        >>> print(homogenization_price(alpha=0.5, beta=0.5, squared_distances=[1.0, 4.0]))
        [0.5625 2.25  ]
    """
    return (1 - (1 - alpha) * beta) ** 2 * np.array(squared_distances)
