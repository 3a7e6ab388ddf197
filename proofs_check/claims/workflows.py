"""The state-space form of any workflow equals training from rows (theory.md, section 2)."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from flint import fmpq, fmpq_mat

from ..exact import identity, power, random_rational, stack
from ..ledger import Finding, check
from ..rational import pseudo_inverse, total
from ..workflow_rows import Setting, random_readers, random_setting, random_shares, run
from ..workflow_state import StateSpace, gain

_SHAPES = [((1, 2), 1, (2, 1), 2, 3), ((1, 1, 2), 0, (1, 2, 1), 2, 3), ((2, 1, 1, 1), 1, (1, 1, 2, 1), 3, 2)]
"""Ranks of the private data, of the public data and of the published inputs, d, and T; some G_0 are singular."""


def _settings(seed: int, **changes: Callable[[random.Random, int], object]) -> list[Setting]:
    """A random setting of each shape, with some of its fields drawn for K entities."""
    rng = random.Random(seed)
    found = []
    for shape in _SHAPES:
        setting = random_setting(rng, *shape)
        drawn = {name: draw(rng, setting.entities) for name, draw in changes.items()}
        found.append(replace(setting, **drawn))
    return found


def _equal(state_space: StateSpace, settings: Sequence[Setting]) -> Finding:
    """Whether the state-space form gives the maps and covariances of training from rows at every generation."""
    places = []
    for setting in settings:
        place = f"K = {setting.entities}, d = {setting.size}, T = {setting.generations}"
        for t, (found, wanted) in enumerate(zip(state_space.run(setting), run(setting), strict=True)):
            if (found.labels, found.truth) != (wanted.labels, wanted.truth):
                return Finding(False, f"the mean map differs at generation {t} ({place})")
            if found.covariance != wanted.covariance:
                return Finding(False, f"the covariance differs at generation {t} ({place})")
        places.append(place)
    return Finding(True, f"equal at generations 0 … T of random rational points: {'; '.join(places)}")


STATE_SPACE = StateSpace()


def _low_rank(rng: random.Random, count: int) -> fmpq_mat:
    """A reader matrix whose rows are one of two mixtures."""
    mixtures = [random_shares(rng, count) for _ in range(2)]
    return fmpq_mat([mixtures[k % 2] for k in range(count)])


def _factor(readers: fmpq_mat) -> tuple[fmpq_mat, fmpq_mat]:
    """Channels that are the first rank(W) rows of W."""
    write = fmpq_mat(readers.tolist()[: readers.rank()])
    read = readers * write.transpose() * (write * write.transpose()).inv()
    return write, read


def _ones(readers: fmpq_mat) -> fmpq_mat:
    return fmpq_mat([[1]] * readers.nrows())


def _squares(write: fmpq_mat) -> fmpq_mat:
    return fmpq_mat(write.nrows(), write.ncols(), [x**2 for x in write.entries()])


def _independent(write: fmpq_mat, noise: list[fmpq_mat]) -> fmpq_mat:
    """The covariance of channels whose labels carry separate noise."""
    joint, size = STATE_SPACE.spread(write, noise), noise[0].nrows()
    return fmpq_mat(
        [[x if i // size == j // size else fmpq(0) for j, x in enumerate(r)] for i, r in enumerate(joint.tolist())]
    )


@check(
    "workflow.network",
    "exact",
    STATE_SPACE,
    mutations={
        "W transposed": StateSpace(channels=lambda readers: (identity(readers.nrows()), readers.transpose())),
        "one pool of equal shares": StateSpace(
            channels=lambda readers: (_ones(readers).transpose() / readers.nrows(), _ones(readers))
        ),
    },
)
def network(formula: StateSpace) -> Finding:
    """Random W, weights that differ between entities and generations, and singular data. Training from rows is least
    squares of minimum norm on the stacked weighted rows, as a linear map of all labels and all noise."""
    return _equal(formula, _settings(1, readers=random_readers))


@check(
    "workflow.channels",
    "exact",
    StateSpace(channels=_factor),
    mutations={
        "separate noise per channel": StateSpace(channels=_factor, spread=_independent),
        "write² in the noise": StateSpace(
            channels=_factor, spread=lambda write, noise: STATE_SPACE.spread(_squares(write), noise)
        ),
        "one channel": StateSpace(channels=lambda readers: (fmpq_mat(readers.tolist()[:1]), _ones(readers))),
    },
)
def channels(formula: StateSpace) -> Finding:
    """As workflow.network, for W of rank at most 2 and K = 2, 3 and 4, with rank(W) channels, and for random W written as
    W = W I with a channel for every reader; the noise of one label enters all channels that it is written to."""
    low = _equal(formula, _settings(2, readers=_low_rank))
    if not low.holds:
        return low
    each = replace(formula, channels=lambda readers: (readers, identity(readers.nrows())))
    full = _equal(each, _settings(3, readers=random_readers))
    return low if full.holds else full


@check(
    "workflow.ridge",
    "exact",
    STATE_SPACE,
    mutations={
        "shrinkage left out of the mean": StateSpace(unseen=lambda gram, gain, carry: 0 * gram),
        "penalty (1-α)μ": StateSpace(
            gain=lambda gram, setting, first: pseudo_inverse(
                gram + (1 - setting.alpha[1][0]) * setting.penalty * identity(setting.size)
            )
        ),
        "G + μ²": StateSpace(
            gain=lambda gram, setting, first: pseudo_inverse(gram + setting.penalty**2 * identity(setting.size))
        ),
    },
)
def ridge(formula: StateSpace) -> Finding:
    """Random μ. Training from rows fits d further rows √μ I with labels 0; the data are singular and the weights vary."""
    return _equal(formula, _settings(4, penalty=lambda rng, count: random_rational(rng)))


@check(
    "workflow.gradient",
    "exact",
    STATE_SPACE,
    mutations={
        "n - 1 terms of the sum": StateSpace(
            gain=lambda gram, setting, first: gain(gram, replace(setting, steps=setting.steps - 1), first)
        ),
        "nothing carried": StateSpace(carry=lambda gram, setting, first: 0 * gram),
        "(I - ηG)ⁿ⁻¹ carried": StateSpace(
            carry=lambda gram, setting, first: (
                0 * gram if first else power(identity(setting.size) - setting.rate * gram, setting.steps - 1)
            )
        ),
        "generation 0 carries too": StateSpace(gain=lambda gram, setting, first: gain(gram, setting, False)),
    },
)
def gradient(formula: StateSpace) -> Finding:
    """n = 1, 2 and 3 gradient steps of random size from the entity's previous estimate, written out one by one on the
    weighted rows; generation 0 is the minimizer of minimum norm. The data are singular and the weights vary."""
    drawn = _settings(5, rate=lambda rng, count: random_rational(rng))
    return _equal(formula, [replace(setting, steps=steps) for setting, steps in zip(drawn, (2, 3, 1), strict=True)])


@check(
    "workflow.accumulation",
    "exact",
    STATE_SPACE,
    mutations={
        "G with one pool": StateSpace(pools=lambda kept, t: fmpq(1)),
        "t + 1 pools": StateSpace(pools=lambda kept, t: fmpq(t + 1)),
        "earlier pools forgotten": StateSpace(kept=lambda kept: fmpq(0)),
    },
)
def accumulation(formula: StateSpace) -> Finding:
    """Training from rows stacks the rows of all pools so far, each with its labels and noise of its own generation."""
    return _equal(formula, _settings(6, kept=lambda rng, count: fmpq(1)))


@check(
    "workflow.forgetting",
    "exact",
    STATE_SPACE,
    mutations={
        "G with one pool": StateSpace(pools=lambda kept, t: fmpq(1)),
        "kept²": StateSpace(kept=lambda kept: kept**2),
        "G of the limit, 1/(1 - kept)": StateSpace(pools=lambda kept, t: 1 / (1 - kept)),
    },
)
def forgetting(formula: StateSpace) -> Finding:
    """Random factor kept; training from rows weighs the rows of a pool that is s generations old by keptˢ."""
    return _equal(formula, _settings(7, kept=lambda rng, count: random_rational(rng)))


@check(
    "workflow.fresh_labels",
    "exact",
    STATE_SPACE,
    mutations={
        "errors passed on in full": StateSpace(told=lambda fresh: fmpq(1)),
        "(1-f)²σ_j² + f²σ_*²": StateSpace(
            label_noise=lambda fresh, own, public: (1 - fresh) ** 2 * own + fresh**2 * public
        ),
        "human labels without noise": StateSpace(label_noise=lambda fresh, own, public: (1 - fresh) * own),
    },
)
def fresh_labels(formula: StateSpace) -> Finding:
    """Every entity publishes five equal parts, of which people label two by θ_* with noise of variance σ_*², and the
    entity three by its estimate with noise of its own variance; f = 2/5."""
    drawn = _settings(8, public_noise=lambda rng, count: random_rational(rng), synthetic_noise=_variances)
    return _equal(formula, [replace(setting, copies=5, human=2) for setting in drawn])


def _variances(rng: random.Random, count: int) -> list[fmpq]:
    return [random_rational(rng) for _ in range(count)]


@check(
    "workflow.noise",
    "exact",
    STATE_SPACE,
    mutations={
        "mean variance for all": StateSpace(
            spread=lambda write, noise: STATE_SPACE.spread(write, [total(noise) / len(noise)] * len(noise))
        ),
        "standard deviation for variance": StateSpace(label_noise=lambda fresh, own, public: own**2),
    },
)
def unequal_noise(formula: StateSpace) -> Finding:
    """Random variances of published labels, one per entity, in one pool with unequal shares and singular data."""
    return _equal(formula, _settings(9, synthetic_noise=_variances))


@check(
    "workflow.together",
    "exact",
    STATE_SPACE,
    mutations={
        "W transposed": StateSpace(channels=lambda readers: (identity(readers.nrows()), readers.transpose())),
        "nothing carried": StateSpace(carry=lambda gram, setting, first: 0 * gram),
        "G with one pool": StateSpace(pools=lambda kept, t: fmpq(1)),
        "errors passed on in full": StateSpace(told=lambda fresh: fmpq(1)),
        "one variance": StateSpace(label_noise=lambda fresh, own, public: own),
    },
)
def together(formula: StateSpace) -> Finding:
    """Two gradient steps in a random network with two fifths of human labels, forgetting and unequal noise; and ridge in
    a network of rank 2 with the same, accumulating. Data are singular and the weights vary."""
    first, second, _ = _settings(
        10,
        rate=lambda rng, count: random_rational(rng),
        readers=random_readers,
        kept=lambda rng, count: random_rational(rng),
        public_noise=lambda rng, count: random_rational(rng),
        synthetic_noise=_variances,
    )
    ridge = replace(second, penalty=second.rate, readers=_low_rank(random.Random(11), 3), kept=fmpq(1))
    return _equal(formula, [replace(setting, copies=5, human=2) for setting in (replace(first, steps=2), ridge)])


@check(
    "workflow.truths",
    "exact",
    lambda setting: setting,
    mutations={
        "G_0 of any rank": lambda setting: replace(setting, public=0 * setting.public),
        "ridge": lambda setting: replace(setting, penalty=fmpq(1, 3)),
    },
)
def truths(formula: Callable[[Setting], Setting]) -> Finding:
    """From rows of full rank, with all labels replaced by their means: the blocks of M_t that belong to θ_1 … θ_K and θ_*
    sum to I, for least squares and for two gradient steps, in a network with two fifths of human labels and forgetting.
    The formula restricts the ecosystem."""
    rng = random.Random(12)
    for steps in (0, 2):
        setting = replace(
            random_setting(rng, (1, 2), 1, (2, 1), 2),
            readers=random_readers(rng, 2),
            kept=random_rational(rng),
            rate=random_rational(rng),
            steps=steps,
            copies=5,
            human=2,
        )
        setting = formula(setting)
        for t, estimates in enumerate(run(setting)):
            blocks = estimates.labels * stack([*setting.private, setting.public]) + estimates.truth
            if blocks != stack([identity(2)] * 2):
                return Finding(False, f"the blocks do not sum to I at generation {t} ({steps} gradient steps)")
    return Finding(True, "the blocks of M_0 … M_3 sum to I, for least squares and for gradient steps")
