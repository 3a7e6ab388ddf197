"""Bounds and criteria: Theorems U, U* and K, the public anchor, Lemma 1, common prompts."""

import math
import random
from dataclasses import replace
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from crossfeed.proofs_check.exact import random_gram, random_matrix, random_rational, zero
from crossfeed.proofs_check.rational import RationalEcosystem
from crossfeed.theory import (
    Network,
    Weights,
    Workflow,
    anchor_bound,
    common_prompts,
    knowledge_bound,
    lemma1,
    lemma1_beyond,
    lemma1_extended,
    prompt_bound,
    random_threshold,
    sharp_knowledge_bound,
    spectral_radius,
    universal_bound,
    worst_case,
    worst_private_data,
)
from flint import fmpq, fmpq_mat

from .points import COUNT, SIZE, Comparison, Pair, ecosystem, floating, formula, fraction, grams, number, radius, shares

EQUAL = 4  # K of equal shares
ROOT = math.sqrt(COUNT)  # √m, and ν of disjoint prompts


def _alike(eco: RationalEcosystem) -> RationalEcosystem:
    """The ecosystem with the weights of its first entity for all."""
    return replace(eco, alpha=[eco.alpha[0]] * COUNT, beta=[eco.beta[0]] * COUNT)


def _disjoint(rng: random.Random) -> RationalEcosystem:
    """Ecosystem whose entities publish along one direction each, which are independent: ν = √m."""
    return replace(_alike(ecosystem(rng)), synthetic=grams(rng, rank=1))


def _anchored(rng: random.Random) -> tuple[RationalEcosystem, fmpq]:
    """Disjoint prompts beside S_* = sS̲, and t = āb̄s/α."""
    eco, size = _disjoint(rng), random_rational(rng)
    ratio = (1 - eco.alpha[0]) * (1 - eco.beta[0]) / eco.alpha[0]
    return replace(eco, public=size * eco.pool_gram), size * ratio


def _universal(rng: random.Random) -> Pair:
    eco = replace(ecosystem(rng), synthetic=grams(rng, rng.randint(1, SIZE)))
    least = formula("theoremU")(COUNT, eco.pool_gram.rank())
    return (1 + math.sqrt(least)) / 2, universal_bound(floating(eco)[0])


def _tight(rng: random.Random) -> Pair:
    alpha, size = fraction(rng), 10 * random_rational(rng)
    ell = (1 - alpha) * size / alpha
    found = spectral_radius(worst_case(COUNT, number(size)), Weights(number(alpha), 1.0))
    return number(formula("theoremU.tight")(number(ell / (1 + ell)), COUNT)), found


def _of_prompts(claim: str) -> Comparison:
    return lambda rng: (number(formula(claim)(ROOT)), prompt_bound(floating(_disjoint(rng))[0]).bound)


def _attained(rng: random.Random) -> Pair:
    alpha, size = fraction(rng), 10 * random_rational(rng)
    ell = (1 - alpha) * size / alpha
    worst = worst_private_data(floating(_disjoint(rng))[0], number(size))
    stated = formula("prompts.attained")(number(ell / (1 + ell)), ROOT)
    return stated, spectral_radius(worst, Weights(number(alpha), 1.0))


def _anchor(rng: random.Random) -> Pair:
    """Entities know multiples of the pool, so that every T_j is a multiple of the identity."""
    eco, t = _anchored(rng)
    sizes = [fmpq(1, 10) * random_rational(rng) for _ in range(COUNT)]
    known = [(1 - eco.alpha[0]) * eco.beta[0] / eco.alpha[0] * size for size in sizes]
    trust = [1 / (1 + t + ell) for ell in known]
    stated = formula("anchor.bound")(number(min(trust)), number(max(trust)), ROOT)
    eco = replace(eco, private=[size * eco.pool_gram for size in sizes])
    return stated, anchor_bound(*floating(eco)).bound


def _public(rng: random.Random) -> Pair:
    eco, t = _anchored(rng)
    return formula("theoremU.public")(ROOT, number(t)), anchor_bound(*floating(eco)).bound_any_private


def _threshold(rng: random.Random) -> Pair:
    return number(formula("anchor.threshold")(COUNT)), prompt_bound(floating(_disjoint(rng))[0]).change


def _knowing(rng: random.Random) -> tuple[RationalEcosystem, list[fmpq]]:
    """Entities that know multiples of what they publish, and κ_k."""
    eco = ecosystem(rng)
    sizes = [fraction(rng) for _ in range(COUNT)]
    kappa = [(1 - a) * b * size / a for a, b, size in zip(eco.alpha, eco.beta, sizes, strict=True)]
    private = [size * gram for size, gram in zip(sizes, eco.synthetic, strict=True)]
    return replace(eco, private=private, public=zero(SIZE, SIZE)), kappa


def _network(rng: random.Random) -> Pair:
    (eco, kappa), readers = _knowing(rng), [shares(rng) for _ in range(COUNT)]
    stated = formula("theoremK")
    growth = fmpq_mat(
        [[stated(share, known, fmpq(1)) for share in row] for row, known in zip(readers, kappa, strict=True)]
    )
    workflow = Workflow(pool=Network(number([number(row) for row in readers])))
    return math.sqrt(radius(growth)), knowledge_bound(*floating(eco), workflow).bound


def _pool(rng: random.Random) -> Pair:
    eco, kappa = _knowing(rng)
    stated = [formula("theoremK.pool")(share, known) for share, known in zip(eco.shares, kappa, strict=True)]
    return math.sqrt(number(sum(stated, fmpq(0)))), knowledge_bound(*floating(eco)).bound


def _sharp(rng: random.Random) -> Pair:
    count, kappa, t = EQUAL, random_rational(rng), random_rational(rng)
    equal = jnp.full(count, 1 / count)
    found = sharp_knowledge_bound(jnp.full(count, number(kappa)), equal, jnp.array(number(t)))
    return number(formula("knowledge.sharp")(count, kappa, t)), found


def _sharp_sum(rng: random.Random) -> Pair:
    count, kappa, t = EQUAL, number(random_rational(rng)), number(random_rational(rng))
    found = sharp_knowledge_bound(jnp.full(count, kappa), jnp.full(count, 1 / count), jnp.array(t))
    return number(formula("knowledge.sharp.sum")(count, count * kappa / (1 + t), t)), found


def _sharp_threshold(rng: random.Random) -> Pair:
    kappa = number(formula("knowledge.sharp.threshold")(fmpq(EQUAL)))
    return 1.0, sharp_knowledge_bound(jnp.full(EQUAL, kappa), jnp.full(EQUAL, 1 / EQUAL), jnp.array(0.0))


def _mixture(rng: random.Random, beyond: bool) -> tuple[RationalEcosystem, fmpq, fmpq, fmpq]:
    """γS_k = λS~_k + (1-λ)S_* at common weights, with λ, γ and δ; β exceeds λ or not."""
    eco, mixing, scale = _alike(ecosystem(rng, private_rank=SIZE)), fraction(rng), fraction(rng)
    beta = mixing + (1 - mixing) * fraction(rng) if beyond else mixing * fraction(rng)
    synthetic = [(mixing * own + (1 - mixing) * eco.public) / scale for own in eco.private]
    delta = (1 - eco.alpha[0]) * beta * scale / (eco.alpha[0] * mixing)
    return replace(eco, beta=[beta] * COUNT, synthetic=synthetic), mixing, scale, delta


def _lemma1(rng: random.Random) -> Pair:
    eco, mixing, _, delta = _mixture(rng, beyond=False)
    surplus = formula("lemma1.extended.gram")(eco.alpha[0], eco.beta[0], mixing)
    whole = (surplus * eco.public + eco.pool_gram).inv()
    least = min(np.linalg.eigvals(number(whole * gram)).real.min() for gram in eco.synthetic)
    return formula("lemma1.resolvent")(least, number(delta)), lemma1(*floating(eco)).bound


def _beyond(rng: random.Random) -> Pair:
    eco, mixing, _, delta = _mixture(rng, beyond=True)
    theta = formula("lemma1.beyond.surplus")(eco.beta[0], mixing)
    return number(formula("lemma1.beyond")(theta, delta)), lemma1_beyond(*floating(eco)).bound


def _extended(rng: random.Random) -> Pair:
    """S_k = v_kv_k', for which ε_k = v_k'M⁻¹v_k, and R_k = δ_kS_k + τS_*."""
    eco, vectors = ecosystem(rng), [random_matrix(rng, 1, SIZE) for _ in range(COUNT)]
    published, surplus = [v.transpose() * v for v in vectors], [fraction(rng) for _ in range(COUNT)]
    ratios = [(1 - a) / a for a in eco.alpha]
    tau = min(ratios) * fraction(rng)
    beta = [1 - tau / ratio for ratio in ratios]
    parts = zip(surplus, ratios, beta, published, strict=True)
    eco = replace(eco, private=[d / (r * b) * S for d, r, b, S in parts], synthetic=published, beta=beta)
    M = eco.pool_gram + tau * eco.public
    epsilon = [(v * M.inv() * v.transpose())[0, 0] for v in vectors]
    rates = [formula("lemma1.extended")(e, d) for e, d in zip(epsilon, surplus, strict=True)]
    return number(max(rates)), lemma1_extended(*floating(eco)).bound


def _common_part(rng: random.Random) -> Pair:
    """Entities with λ_k, γ_k, α_k of their own, and the β_k that make τ common."""
    eco, stated = ecosystem(rng, private_rank=SIZE), formula("lemma1.extended.gram")
    mixing, scales = ([fraction(rng) for _ in range(COUNT)] for _ in range(2))
    tau = min((1 - a) / a for a in eco.alpha) * fraction(rng)
    beta = [m - tau * a * m / (1 - a) for m, a in zip(mixing, eco.alpha, strict=True)]
    synthetic = [
        (m * own + (1 - m) * eco.public) / scale for m, own, scale in zip(mixing, eco.private, scales, strict=True)
    ]
    taus = [stated(a, b, m) for a, b, m in zip(eco.alpha, beta, mixing, strict=True)]
    assert all(one == other for one, other in pairwise(taus))
    return number(taus[0]), lemma1_extended(*floating(replace(eco, beta=beta, synthetic=synthetic))).common


def _criterion(rng: random.Random, claim: str, rank: int) -> Pair:
    """Common prompts of a rank. Private data lie in one direction or in several, beside public data in another or none."""
    prompts, one, nothing = random_gram(rng, SIZE, rank), random_gram(rng, SIZE, 1), zero(SIZE, SIZE)
    several, other = grams(rng, rank=1), random_gram(rng, SIZE, 1)
    eco = replace(ecosystem(rng), synthetic=[prompts, 2 * prompts])
    cases = [([one] * COUNT, nothing), (several, nothing), ([one] * COUNT, other), ([nothing, one], nothing)]
    ecosystems = [replace(eco, private=private, public=public) for private, public in cases]
    stated = [formula(claim)(each) for each in ecosystems]
    return stated, [common_prompts(*floating(each)).stable for each in ecosystems]


def _random_range(rng: random.Random) -> Pair:
    phi = random_rational(rng)
    return number(formula("random.threshold")(phi)), random_threshold(number(phi))


STABILITY: dict[str, Comparison] = {
    "theoremU": _universal,
    "theoremU.tight": _tight,
    "theoremU.prompts": _of_prompts("theoremU.prompts"),
    "theoremU.public": _public,
    "theoremK": _network,
    "theoremK.pool": _pool,
    "prompts.bound": _of_prompts("prompts.bound"),
    "prompts.attained": _attained,
    "anchor.bound": _anchor,
    "anchor.threshold": _threshold,
    "knowledge.sharp": _sharp,
    "knowledge.sharp.sum": _sharp_sum,
    "knowledge.sharp.threshold": _sharp_threshold,
    "lemma1": _lemma1,
    "lemma1.beyond": _beyond,
    "lemma1.extended": _extended,
    "lemma1.extended.gram": _common_part,
    "common.criterion": lambda rng: _criterion(rng, "common.criterion", SIZE),
    "common.singular": lambda rng: _criterion(rng, "common.singular", SIZE - 1),
    "random.threshold": _random_range,
}
