"""Fresh real data: hidden among synthetic data, and as what a publisher writes that never learns."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import factorial, prod

from flint import fmpq, fmpq_mat

from ..exact import beside, identity, random_gram, random_rational, stack, trace
from ..ledger import Finding, check
from ..workflow_limit import Readers
from ..workflow_rows import Setting, random_readers, random_setting, run


def _samples(probabilities: Sequence[fmpq], rows: int) -> Iterator[tuple[list[fmpq], fmpq]]:
    """Observed frequencies of a sample, and their probability."""
    for counts in product(range(rows + 1), repeat=len(probabilities)):
        if sum(counts) == rows:
            ways = factorial(rows) // prod(factorial(c) for c in counts)
            weight = fmpq(ways)
            for probability, count in zip(probabilities, counts, strict=True):
                weight *= probability**count
            yield [fmpq(c, rows) for c in counts], weight


def _expected_errors(truth: Sequence[fmpq], fraction: fmpq, rows: Sequence[int]) -> list[fmpq]:
    """E‖p̂_t - p‖² per generation, by enumeration of all samples."""
    laws: list[tuple[list[fmpq], fmpq]] = [(list(truth), fmpq(1))]
    errors: list[fmpq] = []
    for count in rows:
        following: dict[tuple[str, ...], tuple[list[fmpq], fmpq]] = {}
        for model, weight in laws:
            mixture = [fraction * p + (1 - fraction) * m for p, m in zip(truth, model, strict=True)]
            for found, chance in _samples(mixture, count):
                key = tuple(map(str, found))
                before = following.get(key, (found, fmpq(0)))[1]
                following[key] = found, before + weight * chance
        laws = list(following.values())
        errors.append(
            sum((w * sum(((m - p) ** 2 for m, p in zip(f, truth, strict=True)), fmpq(0)) for f, w in laws), fmpq(0))
        )
    return errors


def hidden_step(first: fmpq, before: fmpq, n: int, start: int, fraction: fmpq) -> fmpq:
    """R_t."""
    return fmpq(start, n) * first + fmpq(n - 1, n) * (1 - fraction) ** 2 * before


HIDDEN = {".1": "5.047956", ".5": "1.328904", ".9": "1.009999"}
"""R_∞/R_0 for n = 100, by α."""


@check(
    "fresh.hidden",
    "exact",
    (hidden_step, lambda n, a: 1 / (1 - fmpq(n - 1, n) * (1 - a) ** 2), HIDDEN),
    mutations={
        "no n/(n-1)": (
            lambda first, before, n, start, a: fmpq(start, n) * first + (1 - a) ** 2 * before,
            lambda n, a: 1 / (1 - (1 - a) ** 2),
            HIDDEN,
        ),
        "1 - α for (1-α)²": (
            lambda first, before, n, start, a: fmpq(start, n) * first + fmpq(n - 1, n) * (1 - a) * before,
            lambda n, a: 1 / (1 - fmpq(n - 1, n) * (1 - a)),
            HIDDEN,
        ),
        "last digit changed": (
            hidden_step,
            lambda n, a: 1 / (1 - fmpq(n - 1, n) * (1 - a) ** 2),
            HIDDEN | {".5": "1.328905"},
        ),
    },
)
def hidden(formula: tuple[Callable[..., fmpq], Callable[[int, fmpq], fmpq], Mapping[str, str]]) -> Finding:
    """All samples of sizes 2, 3, 2 and 4 of three categories are enumerated, for random rational p and α: E‖p̂_t - p‖² for
    t = 0 … 3, where p̂_t are the frequencies of a sample from αp + (1-α)p̂_{t-1}. The limit is the recursion's fixed point;
    the quoted values are compared."""
    step, end, table = formula
    rng, rows = random.Random(1), (2, 3, 2, 4)
    drawn = [random_rational(rng) / 3 for _ in range(2)]
    truth, fraction = [*drawn, 1 - sum(drawn, fmpq(0))], random_rational(rng)
    errors = _expected_errors(truth, fraction, rows)
    for t in range(1, len(rows)):
        if errors[t] != step(errors[0], errors[t - 1], rows[t], rows[0], fraction):
            return Finding(False, f"the error differs at t = {t}")
    for quoted_fraction, quoted in table.items():
        value = end(100, fmpq(int(quoted_fraction[1:]), 10))
        if step(fmpq(1), value, 100, 100, fmpq(int(quoted_fraction[1:]), 10)) != value:
            return Finding(False, "the limit is no fixed point of the recursion")
        if abs(value - fmpq(int(quoted.replace(".", "")), 10**6)) > fmpq(1, 2 * 10**6):
            return Finding(False, f"{float(value):.7f} for α = {quoted_fraction}, not {quoted}")
    return Finding(True, "equal for t = 1, 2, 3 at a random rational point; all digits are correct")


@dataclass(frozen=True)
class _Author:
    """What is claimed of an author who never learns: the learner's limit variance, the author's α, and the noise of its
    private labels."""

    law: Callable[[fmpq, fmpq], fmpq]
    alpha: fmpq
    noise: int


def fresh_limit(w: fmpq, k: fmpq) -> fmpq:
    """(w² + (1-w)²k)/(1 - (1-w)²)."""
    return (w**2 + (1 - w) ** 2 * k) / (1 - (1 - w) ** 2)


@check(
    "human.learner",
    "exact",
    _Author(fresh_limit, fmpq(0), 0),
    mutations={
        "noisy private data": _Author(fresh_limit, fmpq(0), 1),
        "reads the pool": _Author(fresh_limit, fmpq(1, 10), 0),
        "k without (1-w)²": _Author(lambda w, k: (w**2 + k) / (1 - (1 - w) ** 2), fmpq(0), 0),
        "1 - (1-w)": _Author(lambda w, k: (w**2 + (1 - w) ** 2 * k) / w, fmpq(0), 0),
    },
)
def learner(formula: _Author) -> Finding:
    """The lifted limit of two entities at random rational S, w and k (d = 1, 2, 3): the author publishes on S, a model with α =
    1 publishes on S/k and reads the author and itself such that the author's rows have the fraction w of the weight. The
    model's variance is V times the formula; the author's is 0."""
    rng = random.Random(2)
    for size in (1, 2, 3):
        S, w, k = random_gram(rng, size, size), random_rational(rng), random_rational(rng)
        own = (1 - w) * k / (w + (1 - w) * k)  # weight of the model's rows, of which there are 1/k as many
        readers = fmpq_mat([[fmpq(1, 2), fmpq(1, 2)], [1 - own, own]])
        alpha = [formula.alpha, fmpq(1)]
        ecosystem = Readers([S, S], S, [S, S / k], readers, alpha, [fmpq(1)] * 2, 0, [formula.noise, 1])
        author, model = ecosystem.variances()
        if author != 0 or model != trace(S.inv()) * formula.law(w, k):
            return Finding(False, f"the variances are {float(author):.4g} and {float(model):.4g} for d = {size}")
    return Finding(True, "equal at 3 random rational points, d = 1, 2, 3")


@check(
    "human.pool",
    "exact",
    2,
    mutations={"f of another size": 3, "no authors": 0},
)
def fresh_pool(formula: int) -> Finding:
    """Training from rows at random rational points (K = 2, d = 2, T = 3, random W, forgetting, unequal noise, weights that
    vary, singular data): five parts of inputs per entity, two of them with human labels, against K models that publish three
    parts and K authors with α = 0, β = 1 that publish the formula's number of parts. The maps of all real labels are
    equal, those of θ_* once the authors' private labels are X~θ_*, and so are the covariances."""
    rng = random.Random(3)
    drawn = random_setting(rng, (1, 2), 1, (2, 1), 2)
    noise = [random_rational(rng) for _ in range(3)]
    mixed = replace(
        drawn,
        readers=random_readers(rng, 2),
        kept=random_rational(rng),
        copies=5,
        human=2,
        public_noise=noise[2],
        synthetic_noise=noise[:2],
    )
    never, only = [fmpq(0)] * 2, [fmpq(1)] * 2
    apart = Setting(
        [*mixed.private, identity(2), identity(2)],
        mixed.public,
        [stack([x] * 3) for x in mixed.inputs] + [stack([x] * formula) if formula else 0 * x for x in mixed.inputs],
        stack([beside([mixed.readers] * 2)] * 2),
        [[*alpha, *never] for alpha in mixed.alpha],
        [[*beta, *only] for beta in mixed.beta],
        kept=mixed.kept,
        synthetic_noise=[*noise[:2], noise[2], noise[2]],
    )
    learned = sum(x.nrows() for x in mixed.private)
    for t, (one, other) in enumerate(zip(run(mixed), run(apart), strict=True)):
        rows = other.labels.tolist()[:4]
        real = fmpq_mat([row[:learned] + row[learned + 4 :] for row in rows])
        human = fmpq_mat([row[learned : learned + 4] for row in rows]) * stack([identity(2)] * 2)
        covariance = fmpq_mat([row[:4] for row in other.covariance.tolist()[:4]])
        if (one.labels, one.truth, one.covariance) != (real, human, covariance):
            return Finding(False, f"the two ecosystems differ at generation {t}")
    return Finding(True, "equal at generations 0 … 3")
