"""K entities that train on all pools so far: errors at every generation (baselines.md, "K entities and one pool")."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from flint import fmpq, fmpq_mat

from ..exact import beside, block, block_diagonal, gram, identity, random_matrix, random_rational, stack, trace, zero
from ..ledger import Finding, check
from ..rational import pseudo_inverse, total
from ..workflow_limit import one_pool
from ..workflow_rows import Setting, random_setting, random_shares, run

_GENERATIONS = 5


def _equal_features(
    rng: random.Random, shares: Sequence[fmpq], alpha: fmpq, beta: fmpq, noise: fmpq, **changes: fmpq | int
) -> tuple[Setting, fmpq]:
    """Equal features that everybody uses at every generation, and V = tr S⁻¹; label noise has variance 1, that of pools
    `noise`."""
    features, count = random_matrix(rng, 3, 2), len(shares)
    weights = [[alpha] * count] * _GENERATIONS, [[beta] * count] * _GENERATIONS
    setting = Setting([features] * count, features, [features] * count, one_pool(shares), *weights)
    return replace(setting, synthetic_noise=[noise] * count, **changes), trace(gram(features).inv())


def _errors(setting: Setting) -> list[list[fmpq]]:
    """tr Cov(θ̂_{t,k}) per generation and entity, from rows, for real label noise of variance 1."""
    return [
        [trace(block(e.labels * e.labels.transpose() + e.covariance, k, k, 2)) for k in range(setting.entities)]
        for e in run(setting)
    ]


def pool_error(g: int, K: int, p: fmpq, c: fmpq, nu: fmpq) -> fmpq:
    """MSE/V at generation g."""
    transient = p**2 * (1 - fmpq(1, K)) / (1 + c * (g - 1)) ** 2
    return p**2 / K + (1 - p) ** 2 + transient + nu * sum((1 / (i + 1 / c) ** 2 for i in range(1, g)), fmpq(0))


@check(
    "accumulate.error",
    "exact",
    pool_error,
    mutations={
        "transient decays as 1/(1+c(g-1))": lambda g, K, p, c, nu: (
            pool_error(g, K, p, c, nu) + p**2 * (1 - fmpq(1, K)) * (1 / (1 + c * (g - 1)) - 1 / (1 + c * (g - 1)) ** 2)
        ),
        "1/i²": lambda g, K, p, c, nu: (
            pool_error(g, K, p, c, nu) + nu * sum((fmpq(1, i**2) - 1 / (i + 1 / c) ** 2 for i in range(1, g)), fmpq(0))
        ),
        "ν/K": lambda g, K, p, c, nu: pool_error(g, K, p, c, nu / K),
    },
)
def error(formula: Callable[..., fmpq]) -> Finding:
    """Training from the stacked rows of all pools so far, with the same random X in every generation, d = 2, g = 1 … 5, K
    = 1 … 4, random p, c and noise of the pools' labels (error probability below 10⁻⁶ for each point)."""
    rng = random.Random(1)
    for count in range(1, 5):
        p, alpha, nu = random_rational(rng), random_rational(rng), random_rational(rng)
        setting, V = _equal_features(rng, [fmpq(1, count)] * count, alpha, p, nu * count, kept=fmpq(1))
        for g, errors in enumerate(_errors(setting), 1):
            if any(found != V * formula(g, count, p, alpha / (1 - alpha), nu) for found in errors):
                return Finding(False, f"differs for K = {count} at g = {g}")
    return Finding(True, "equal at 4 random rational points, K = 1 … 4, g = 1 … 5")


def shares_error(t: int, share: fmpq, concentration: fmpq) -> fmpq:
    """MSE_k/V at generation t for the share w_k and W₂."""
    noise = concentration * sum((fmpq(1, i**2) for i in range(1, t + 1)), fmpq(0))
    return noise + (1 - 2 * share + concentration) / t**2 + 2 * (share - concentration) / t


SHARES = {
    2: {2: ".75", 3: ".736111", 5: ".751806", 10: ".779884"},
    4: {2: ".5", 3: ".423611", 5: ".395903", 10: ".394942"},
}
"""MSE/V for equal shares to six digits, by K and t."""


@check(
    "accumulate.shares",
    "exact",
    (shares_error, SHARES),
    mutations={
        "cross term left out": (lambda t, w, W: shares_error(t, w, W) - 2 * (w - W) / t, SHARES),
        "w_k² for W₂": (lambda t, w, W: shares_error(t, w, w**2), SHARES),
        "last digit changed": (shares_error, SHARES | {2: SHARES[2] | {3: ".736112"}}),
    },
)
def unequal_shares(formula: tuple[Callable[..., fmpq], Mapping[int, Mapping[int, str]]]) -> Finding:
    """Training from rows for α = 1/2, β = 1, so that every pool weighs as much as an entity's own real data, with random
    shares (K = 1 … 4, d = 2, t = 1 … 5), and the quoted values to six digits."""
    law, table = formula
    rng = random.Random(2)
    for count in range(1, 5):
        shares = random_shares(rng, count)
        setting, V = _equal_features(rng, shares, fmpq(1, 2), fmpq(1), fmpq(1), kept=fmpq(1))
        concentration = sum((w**2 for w in shares), fmpq(0))
        for t, errors in enumerate(_errors(setting), 1):
            if errors != [V * law(t, w, concentration) for w in shares]:
                return Finding(False, f"differs for K = {count} at t = {t}")
    for count, values in table.items():
        for t, quoted in values.items():
            value = law(t, fmpq(1, count), fmpq(1, count))
            if abs(value - fmpq(int(quoted[1:]), 10 ** len(quoted[1:]))) > fmpq(1, 2 * 10**6):
                return Finding(False, f"{float(value):.7f} for K = {count} at t = {t}, not {quoted}")
    return Finding(True, "equal at 4 random rational points, K = 1 … 4, t = 1 … 5; all digits are correct")


@check(
    "accumulate.minimum",
    "exact",
    lambda K, t: K * t**2 < (K - 1) * (t + 1) ** 2,
    mutations={
        "never rises": lambda K, t: True,
        "t < K": lambda K, t: t < K,
        "K + 1 for K": lambda K, t: (K + 1) * t**2 < K * (t + 1) ** 2,
    },
)
def minimum(formula: Callable[[int, int], bool]) -> Finding:
    """The step from t to t + 1 of accumulate.shares with equal shares is 1/(t+1)² - (1-1/K)/t² (K = 1 … 20, t = 1 …
    60). Its sign is compared with the formula, which says whether the error falls."""
    for K in range(1, 21):
        for t in range(1, 61):
            step = shares_error(t + 1, fmpq(1, K), fmpq(1, K)) - shares_error(t, fmpq(1, K), fmpq(1, K))
            if step != fmpq(1, (t + 1) ** 2) - (1 - fmpq(1, K)) / t**2:
                return Finding(False, f"the step is another for K = {K} at t = {t}")
            if (step < 0) != formula(K, t):
                return Finding(False, f"the error changes by {float(step):.5f} for K = {K} from t = {t}")
    smallest = ", ".join(str(next(t for t in range(1, 61) if not formula(K, t))) for K in (2, 3, 4, 10))
    return Finding(True, f"falls until t = {smallest} for K = 2, 3, 4, 10, and rises from there")


def _feedback(c: fmpq, published: fmpq_mat) -> fmpq_mat:
    """J = I + c Σ w_jS_jG_j⁺."""
    return identity(published.nrows()) + c * published


@check(
    "accumulate.general",
    "exact",
    _feedback,
    mutations={
        "H for J, as in replacement": lambda c, published: c * published,
        "c left out": lambda c, published: identity(published.nrows()) + published,
        "transposed": lambda c, published: identity(published.nrows()) + c * published.transpose(),
    },
)
def general(formula: Callable[..., fmpq_mat]) -> Finding:
    """Training from the rows of all pools so far with random p_k, q_k, c, shares and singular data (K = 2 and 3, d = 2 and
    3, g = 1 … 4): the mean maps are G_{g,k}⁺(p_ku_k + q_ku_* + c m_g), and the covariances cG_{g,k}⁺X_gG_{g,l}⁺c with
    X ← JXJ' + Σ w_j²S_j. For any α_k, p_k = cā_kβ_k/α_k and q_k = cā_kb̄_k/α_k."""
    rng = random.Random(3)
    for ranks, public_rank, published_ranks, size in (((1, 2), 1, (2, 1), 2), ((1, 1, 2), 1, (1, 3, 2), 3)):
        drawn = random_setting(rng, ranks, public_rank, published_ranks, size)
        c, count = random_rational(rng), len(ranks)
        beta, shares = drawn.beta[0], drawn.readers.tolist()[0]
        alpha = drawn.alpha[0]
        setting = replace(drawn, kept=fmpq(1), alpha=[alpha] * 4, beta=[beta] * 4)
        own = [c * (1 - a) / a for a in alpha]
        p, q = ([o * x for o, x in zip(own, part, strict=True)] for part in (beta, [1 - b for b in beta]))
        private, public = [gram(x) for x in setting.private], gram(setting.public)
        heard = [w * gram(x) for w, x in zip(shares, setting.inputs, strict=True)]
        noise = total(w * s for w, s in zip(shares, heard, strict=True))
        memory, spread = zero(size, (count + 1) * size), zero(size, size)
        for g, wanted in enumerate(run(setting), 1):
            inverses = [
                pseudo_inverse(p[k] * private[k] + q[k] * public + c * (g - 1) * total(heard)) for k in range(count)
            ]
            learned = [
                beside(
                    [p[k] * identity(size) if j == k else zero(size, size) for j in range(count)]
                    + [q[k] * identity(size)]
                )
                for k in range(count)
            ]
            labels = stack([i * (own + c * memory) for i, own in zip(inverses, learned, strict=True)])
            A = stack([c * i for i in inverses])
            to_labels = block_diagonal([x.transpose() for x in (*setting.private, setting.public)])
            if labels * to_labels != wanted.labels or A * spread * A.transpose() != wanted.covariance:
                return Finding(False, f"differs at g = {g} (K = {count}, d = {size})")
            J = formula(c, total(s * i for s, i in zip(heard, inverses, strict=True)))
            memory = J * memory + total(s * i * own for s, i, own in zip(heard, inverses, learned, strict=True))
            spread = J * spread * J.transpose() + noise
    return Finding(True, "equal at 2 random rational points, K = 2 and 3, g = 1 … 4")


def recursion_error(t: int, concentration: fmpq) -> fmpq:
    """MSE/V at generation t."""
    return concentration * (1 + t) if t else fmpq(1)


@check(
    "recursion.shares",
    "exact",
    (recursion_error, ("1", "1.64", "2.46", "3.28")),
    mutations={
        "1 + W₂t": (lambda t, W: 1 + W * t, ("1", "1.64", "2.46", "3.28")),
        "W₂t": (lambda t, W: W * t if t else fmpq(1), ("1", "1.64", "2.46", "3.28")),
        "digit changed": (recursion_error, ("1", "1.64", "2.46", "3.18")),
    },
)
def recursion(formula: tuple[Callable[[int, fmpq], fmpq], Sequence[str]]) -> Finding:
    """Training from rows with α = β = 1 and random shares (K = 1 … 4, d = 2, t = 0 … 4), and the quoted values for shares
    (.9, .1)."""
    law, quoted = formula
    rng = random.Random(4)
    for count in range(1, 5):
        shares = random_shares(rng, count)
        setting, V = _equal_features(rng, shares, fmpq(1), fmpq(1), fmpq(1))
        for t, errors in enumerate(_errors(setting)):
            if any(found != V * law(t, sum((w**2 for w in shares), fmpq(0))) for found in errors):
                return Finding(False, f"differs for K = {count} at t = {t}")
    values = [law(t, fmpq(82, 100)) for t in range(4)]
    if [100 * value for value in values] != [round(100 * float(text)) for text in quoted]:
        return Finding(False, f"{', '.join(str(float(value)) for value in values)} for shares (.9, .1)")
    return Finding(True, "equal at 4 random rational points, K = 1 … 4, t = 0 … 4; all digits are correct")
