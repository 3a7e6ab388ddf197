"""Any workflow row by row, in rational arithmetic: what its closed forms and recursions are tested against.

Every estimate is a linear map of independent inputs: the labels of the real data, the truth θ_* that people label by, and the
noise of every published label. It is computed from the rows and their weights alone, by least squares or by gradient steps,
without Gram matrices of pools, channels or a state.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flint import fmpq, fmpq_mat

from .exact import identity, random_matrix, random_rational, stack, zero
from .rational import pseudo_inverse


@dataclass(frozen=True)
class Setting:
    """An ecosystem, a workflow and the weights of generations 0..T.

    Attributes:
        private: X~_k, the features of the private data.
        public: X_*.
        inputs: one of the `copies` equal parts of what entity k publishes labels for, so that S_k = copies X_k'X_k.
        readers: W, with the weight of entity j's data for entity k.
        alpha: α_{t,k} per generation and entity; that of generation 0 counts as 0.
        beta: β_{t,k}.
        copies: number of equal parts.
        human: number of parts whose labels come from people.
        kept: factor per generation of the weight of earlier pools.
        penalty: μ of ridge regression.
        steps: number of gradient steps from the previous estimate; 0 for the minimizer.
        rate: their size η.
        private_noise: variance of the noise of one label, per entity.
        public_noise: that of public data, and of the labels that people add to the pool.
        synthetic_noise: that of published labels of models, per entity.
    """

    private: Sequence[fmpq_mat]
    public: fmpq_mat
    inputs: Sequence[fmpq_mat]
    readers: fmpq_mat
    alpha: Sequence[Sequence[fmpq]]
    beta: Sequence[Sequence[fmpq]]
    copies: int = 1
    human: int = 0
    kept: fmpq = field(default_factory=lambda: fmpq(0))
    penalty: fmpq = field(default_factory=lambda: fmpq(0))
    steps: int = 0
    rate: fmpq = field(default_factory=lambda: fmpq(0))
    private_noise: Sequence[fmpq] = ()
    public_noise: fmpq = field(default_factory=lambda: fmpq(1))
    synthetic_noise: Sequence[fmpq] = ()

    @property
    def entities(self) -> int:
        """K."""
        return len(self.private)

    @property
    def size(self) -> int:
        """d."""
        return self.public.ncols()

    @property
    def generations(self) -> int:
        """T."""
        return len(self.alpha) - 1

    def real_weights(self, generation: int, entity: int) -> tuple[fmpq, fmpq]:
        """Weights p_k and q_k of private and public data."""
        alpha = self.alpha[generation][entity] if generation else fmpq(0)
        beta = self.beta[generation][entity]
        return (1 - alpha) * beta, (1 - alpha) * (1 - beta)

    def own_noise(self, entity: int) -> fmpq:
        """Variance of the noise of the labels that a model publishes."""
        return self.synthetic_noise[entity] if self.synthetic_noise else fmpq(1)


def random_setting(
    rng: random.Random,
    ranks: Sequence[int],
    public_rank: int,
    published: Sequence[int],
    size: int,
    generations: int = 3,
) -> Setting:
    """Random data with one row per rank, random weights at every generation, random shares, and noise of variance 1."""
    count = len(ranks)
    shares = random_shares(rng, count)
    return Setting(
        [random_matrix(rng, rows, size) for rows in ranks],
        random_matrix(rng, public_rank, size),
        [random_matrix(rng, rows, size) for rows in published],
        fmpq_mat([shares] * count),
        [[random_rational(rng) for _ in range(count)] for _ in range(generations + 1)],
        [[random_rational(rng) for _ in range(count)] for _ in range(generations + 1)],
    )


def random_shares(rng: random.Random, count: int) -> list[fmpq]:
    """Positive random rationals with sum 1."""
    shares = [random_rational(rng) for _ in range(count)]
    whole = sum(shares, fmpq(0))
    return [share / whole for share in shares]


def random_readers(rng: random.Random, count: int) -> fmpq_mat:
    """A random matrix W whose rows are shares."""
    return fmpq_mat([random_shares(rng, count) for _ in range(count)])


@dataclass(frozen=True)
class Estimates:
    """All estimates of one generation, stacked, as linear maps of what they depend on.

    Attributes:
        labels: the map of the labels ỹ_1 … ỹ_K and y_*.
        truth: the map of θ_*, which enters through labels that people add to the pool.
        covariance: covariance given the real data, from the noise of all published labels.
    """

    labels: fmpq_mat
    truth: fmpq_mat
    covariance: fmpq_mat


@dataclass(frozen=True)
class _Part:
    """Rows of a pool: their author, features, labels as maps of the inputs, and the generation that first reads them."""

    author: int
    features: fmpq_mat
    labels: fmpq_mat
    generation: int


def run(setting: Setting) -> Iterator[Estimates]:
    """Estimates of generations 0..T, from the rows."""
    labels, noises, variances, total = _inputs(setting)
    real, size = total - len(variances) - setting.size, setting.size
    human_truth = _columns(identity(total), real, real + size).transpose()
    pool: list[_Part] = []
    estimates: list[fmpq_mat] = []
    for generation in range(setting.generations + 1):
        if generation:
            for author, features in enumerate(setting.inputs):
                for copy in range(setting.copies):
                    belief = human_truth if copy < setting.human else estimates[author]
                    noise = noises[generation - 1, author, copy]
                    pool.append(_Part(author, features, features * belief + noise, generation))
        estimates = [_fit(setting, generation, k, labels, pool, estimates) for k in range(setting.entities)]
        stacked = stack(estimates)
        noise = _columns(stacked, real + size, total)
        weighted = fmpq_mat([[v * n for v, n in zip(variances, row, strict=True)] for row in noise.tolist()])
        yield Estimates(_columns(stacked, 0, real), _columns(stacked, real, real + size), weighted * noise.transpose())


def _inputs(setting: Setting) -> tuple[list[fmpq_mat], dict[tuple[int, int, int], fmpq_mat], list[fmpq], int]:
    """Maps of the inputs to the labels of each real dataset, and to the noise of each part of a pool; and its variances."""
    real = [x.nrows() for x in (*setting.private, setting.public)]
    parts = [
        (generation, author, copy)
        for generation in range(setting.generations)
        for author in range(setting.entities)
        for copy in range(setting.copies)
    ]
    variances: list[fmpq] = []
    for _, author, copy in parts:
        variance = setting.public_noise if copy < setting.human else setting.own_noise(author)
        variances += [variance] * setting.inputs[author].nrows()
    everything = identity(sum(real) + setting.size + len(variances))
    labels: list[fmpq_mat] = []
    before = 0
    for rows in real:
        labels.append(_columns(everything, before, before + rows).transpose())
        before += rows
    before += setting.size
    noises: dict[tuple[int, int, int], fmpq_mat] = {}
    for part in parts:
        rows = setting.inputs[part[1]].nrows()
        noises[part] = _columns(everything, before, before + rows).transpose()
        before += rows
    return labels, noises, variances, everything.nrows()


def _fit(
    setting: Setting,
    generation: int,
    entity: int,
    labels: Sequence[fmpq_mat],
    pool: Sequence[_Part],
    previous: Sequence[fmpq_mat],
) -> fmpq_mat:
    """Estimate of one entity from the weighted rows of all that it trains on."""
    p, q = setting.real_weights(generation, entity)
    features, targets = [setting.private[entity], setting.public], [labels[entity], labels[-1]]
    weights = [p, q]
    for part in pool:
        features.append(part.features)
        targets.append(part.labels)
        age = setting.kept ** (generation - part.generation) if generation > part.generation else fmpq(1)
        weights.append(setting.alpha[generation][entity] * setting.readers[entity, part.author] * age)
    if setting.penalty:  # ridge regression fits further rows with labels 0
        features.append(identity(setting.size))
        targets.append(zero(setting.size, targets[0].ncols()))
        weights.append(setting.penalty)
    weighted = stack([w * x for w, x in zip(weights, features, strict=True)]).transpose()
    rows, answers = stack(features), stack(targets)
    if not setting.steps or not generation:
        return pseudo_inverse(weighted * rows) * (weighted * answers)
    estimate = previous[entity]
    for _ in range(setting.steps):
        estimate = estimate - setting.rate * weighted * (rows * estimate - answers)
    return estimate


def _columns(matrix: fmpq_mat, start: int, stop: int) -> fmpq_mat:
    return fmpq_mat(matrix.nrows(), stop - start, [x for row in matrix.tolist() for x in row[start:stop]])
