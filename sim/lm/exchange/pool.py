"""What entities publish, and the training sets drawn from it: drawn first, then written only as far as training reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from ..data.texts import Rows, Texts, pack, places
from ..study.corpus import Corpus
from ..study.study import Study

SOURCES = ("private", "public", "fresh", "synthetic")
"""Where the texts of a training set come from."""
_PRIVATE, _PUBLIC, _FRESH, _POOL = range(4)

Completer = Callable[[list[np.ndarray]], list[list[np.ndarray]]]
"""From the numbers of the texts that each entity is to write to these texts: prompt, completion and end mark."""


@dataclass(frozen=True)
class Draw:
    """n texts that one entity is to train on, drawn i.i.d.

    Attributes:
        source: 0 private, 1 public, 2 fresh human text, 3 + j what entity j published; int [n].
        index: which text of that source; int [n].
    """

    source: np.ndarray
    index: np.ndarray


def draw_texts(study: Study, corpus: Corpus, alpha: float, beta: float, seed: int, generation: int) -> list[Draw]:
    """Every entity's training set: private with weight (1-α)β, public with (1-α)(1-β), what entity j published with α w_j.

    Of the weight α, the part `pool.fresh` goes to human texts that no generation before has seen.
    """
    pooled = alpha * (1 - study.pool.fresh) * study.shares
    weights = np.array([(1 - alpha) * beta, (1 - alpha) * (1 - beta), alpha * study.pool.fresh, *pooled])
    slice_size = len(corpus.fresh) // max(study.generations, 1)
    draws = []
    for entity, private in enumerate(corpus.private):
        random = np.random.default_rng([seed, generation, entity, 0])
        source = random.choice(len(weights), study.samples, p=weights / weights.sum())
        sizes = np.array([len(private), len(corpus.public), slice_size, *[study.samples] * len(study.shares)])
        index = (random.random(study.samples) * sizes[source]).astype(np.int64)
        index += np.where(source == _FRESH, (generation - 1) * slice_size, 0)
        draws.append(Draw(source, index))
    return draws


class Published:
    """What one entity publishes in a generation: n texts, each known once it has been written.

    Attributes:
        prompts: tokens of each text's prompt, int [n].
        lengths: tokens of each text; a guess where it is not known, int [n].
        known: which have been written, bool [n].
    """

    def __init__(self, source: Texts, which: np.ndarray, new_tokens: int, longest: int):
        self._source, self._which, self._longest = source, which, longest
        self._texts: dict[int, np.ndarray] = {}
        self.prompts = source.prompts[which]
        self.known = np.zeros(len(which), bool)
        self._guess(min(int((source.lengths - source.prompts).mean()), new_tokens))

    def __getitem__(self, index: int | np.integer) -> np.ndarray:
        return self._texts[int(index)]

    def prompt(self, index: int | np.integer) -> np.ndarray:
        """The prompt of a text."""
        return self._source.prompt(self._which[index])

    def reference(self, index: int | np.integer) -> np.ndarray:
        """What stands after the prompt of a text in the data that it was taken from."""
        return self._source[self._which[index]][self.prompts[index] :]

    def add(self, indices: np.ndarray, texts: Sequence[np.ndarray]) -> None:
        """Take in texts that have been written."""
        if not len(indices):
            return
        self._texts.update(zip(indices.tolist(), texts, strict=True))
        self.known[indices] = True
        self.lengths[indices] = [len(text) for text in texts]
        written = (self.lengths - self.prompts)[self.known].mean()
        known, lengths = self.known, self.lengths
        self._guess(int(written))
        self.lengths[known] = lengths[known]

    def _guess(self, completion: int) -> None:
        self.lengths = np.minimum(self.prompts.astype(np.int64) + max(completion, 1), self._longest)


def publish(study: Study, corpus: Corpus, seed: int, generation: int) -> list[Published]:
    """What each entity is to publish: n prompts drawn i.i.d. from its own task, or from what `pool.prompts` says."""
    published = []
    for entity in range(len(corpus.private)):
        if study.pool.prompts == "public":
            source = corpus.public
        elif study.pool.prompts == "common":
            source = corpus.all_private
        else:
            source = corpus.private[(entity + (study.pool.prompts == "other")) % len(corpus.private)]
        # Common prompts are the same ones for all entities.
        stream = 0 if study.pool.prompts == "common" else entity
        which = np.random.default_rng([seed, generation, stream, 1]).integers(0, len(source), study.samples)
        published.append(Published(source, which, study.pool.new_tokens, study.training.length))
    return published


@dataclass(frozen=True)
class TrainingSet:
    """One entity's rows for a generation.

    Attributes:
        rows: `steps * batch` of them.
        tokens: tokens in them from each of `SOURCES`, int [4].
        counted: of these, tokens that the loss counts.
    """

    rows: Rows
    tokens: np.ndarray
    counted: int


def training_sets(
    study: Study,
    corpus: Corpus,
    draws: Sequence[Draw],
    published: Sequence[Published],
    complete: Completer,
    seed: int,
    generation: int,
) -> list[TrainingSet]:
    """Each entity's training set; what it reads of the pool is written first, in as many rounds as lengths turn out to need."""
    while True:
        reads = [_read(study, corpus, drawn, published, entity) for entity, drawn in enumerate(draws)]
        wanted = [np.zeros(study.samples, bool) for _ in published]
        for drawn, (read, _) in zip(draws, reads, strict=True):
            for j, flags in enumerate(wanted):
                flags[drawn.index[read[drawn.source[read] == _POOL + j]]] = True
        indices = [np.flatnonzero(flags & ~own.known) for flags, own in zip(wanted, published, strict=True)]
        if not any(map(len, indices)):
            break
        for own, new, written in zip(published, indices, complete(indices), strict=True):
            own.add(new, written)
    order = np.random.default_rng([seed, generation, len(draws), 2]).permutation(
        study.training.steps * study.training.batch
    )
    return [
        _training_set(study, _shelves(corpus, published, entity), drawn, *read, order)
        for entity, (drawn, read) in enumerate(zip(draws, reads, strict=True))
    ]


def _read(
    study: Study, corpus: Corpus, drawn: Draw, published: Sequence[Published], entity: int
) -> tuple[Int[np.ndarray, " read"], Int[np.ndarray, " n"]]:
    """Which texts of the draw fill the rows, in order and from the beginning again if all are read; and lengths of all n."""
    lengths = np.zeros(len(drawn.source), np.int64)
    for number, shelf in enumerate(_shelves(corpus, published, entity)):
        mine = drawn.source == number
        lengths[mine] = shelf.lengths[drawn.index[mine]]
    rows, length = study.training.steps * study.training.batch, study.training.length
    times = 1 + -(-rows * length // lengths.sum())
    row, _ = places(np.tile(lengths, times), rows, length)
    return np.arange(len(row)) % len(lengths), lengths


def _shelves(corpus: Corpus, published: Sequence[Published], entity: int) -> list[Texts | Published]:
    return [corpus.private[entity], corpus.public, corpus.fresh, *published]


def _training_set(
    study: Study,
    shelves: Sequence[Texts | Published],
    drawn: Draw,
    read: Int[np.ndarray, " read"],
    lengths: Int[np.ndarray, " n"],
    order: Int[np.ndarray, " row"],
) -> TrainingSet:
    source, index = drawn.source[read], drawn.index[read]
    texts = [shelves[s][i] for s, i in zip(source, index, strict=True)]
    prompts = np.array([shelves[s].prompts[i] for s, i in zip(source, index, strict=True)])
    whole = (source == _PUBLIC) | (study.training.loss == "text")
    packed = pack(texts, prompts, len(order), study.training.length, whole)
    tokens = np.bincount(np.minimum(source, _POOL), lengths[read], minlength=len(SOURCES)).astype(np.int64)
    rows = Rows(packed.tokens[order], packed.segments[order], packed.counted[order])
    return TrainingSet(rows, tokens, int(packed.counted.sum()))
