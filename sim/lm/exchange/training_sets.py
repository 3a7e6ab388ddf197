"""Training sets of a generation, in three steps: draw texts, choose those that have to be generated, pack them into rows.

Texts are drawn as indices, before any text is generated. A training set has a fixed number of rows, which hold only the first
of the drawn texts, so that only these have to be generated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from jaxtyping import Int

from ..data.texts import Rows, first_fit, pack
from ..study.corpus import Corpus
from ..study.study import Study, TrainingSettings
from .published import PublishedTexts
from .random_streams import Purpose, random_stream
from .sources import SOURCES, Source, training_sources

Complete = Callable[[list[np.ndarray], int], list[list[np.ndarray]]]
"""From the indices of the texts that each entity has to generate, and the number of the round, to the tokens of these texts."""


@dataclass(frozen=True)
class Draw:
    """n texts drawn i.i.d. for one entity's training set.

    Attributes:
        sources: what is drawn from.
        source: index in `sources` of the source of each text.
        index: index of each text within its source.
    """

    sources: tuple[Source, ...]
    source: Int[np.ndarray, " n"]
    index: Int[np.ndarray, " n"]

    @property
    def lengths(self) -> Int[np.ndarray, " n"]:
        """Number of tokens of each drawn text, estimated where it has not been generated yet."""
        lengths = np.zeros(len(self.source), np.int64)
        for number, source in enumerate(self.sources):
            drawn = self.source == number
            lengths[drawn] = source.texts.lengths[self.index[drawn]]
        return lengths


def draw_texts(
    study: Study,
    corpus: Corpus,
    published: Sequence[PublishedTexts],
    alpha: float,
    beta: float,
    seed: int,
    generation: int,
) -> list[Draw]:
    """Texts of every entity's training set: n drawn i.i.d., each from one of the entity's sources with its weight."""
    draws = []
    for entity in range(len(corpus.private)):
        sources = training_sources(study, corpus, published, entity, generation, alpha, beta)
        weights = np.array([source.weight for source in sources])
        counts = np.array([len(source.eligible) for source in sources])
        firsts = np.array([source.eligible.start for source in sources])
        random = random_stream(seed, generation, entity, Purpose.TRAINING_TEXTS)
        drawn = random.choice(len(sources), study.samples, p=weights / weights.sum())
        index = firsts[drawn] + (random.random(study.samples) * counts[drawn]).astype(np.int64)
        draws.append(Draw(sources, drawn, index))
    return draws


def texts_read(draw: Draw, training: TrainingSettings) -> Int[np.ndarray, " read"]:
    """Indices of the drawn texts that fit into the training rows, in order, cycling if the draw is too short."""
    lengths = draw.lengths
    cycles = 1 + -(-training.rows * training.length // lengths.sum())
    row, _ = first_fit(np.tile(lengths, cycles), training.rows, training.length)
    return np.arange(len(row)) % len(lengths)


def texts_to_generate(
    draws: Sequence[Draw], published: Sequence[PublishedTexts], training: TrainingSettings
) -> list[Int[np.ndarray, " _"]]:
    """Indices of each entity's published texts that a training set reads and that have not been generated yet."""
    read = [texts_read(draw, training) for draw in draws]
    missing = []
    for texts in published:
        wanted = np.zeros(len(texts), bool)
        for draw, positions in zip(draws, read, strict=True):
            number = next(number for number, source in enumerate(draw.sources) if source.texts is texts)
            wanted[draw.index[positions][draw.source[positions] == number]] = True
        missing.append(np.flatnonzero(wanted & ~texts.generated))
    return missing


def generate_texts_read(
    draws: Sequence[Draw], published: Sequence[PublishedTexts], training: TrainingSettings, complete: Complete
) -> None:
    """Generate the published texts that training sets read.

    Where completions turn out shorter than expected, more texts fit into the rows, and another round generates these.
    """
    for round_number in count():
        missing = texts_to_generate(draws, published, training)
        if not any(map(len, missing)):
            return
        for texts, indices, generated in zip(published, missing, complete(missing, round_number), strict=True):
            texts.add(indices, generated)


@dataclass(frozen=True)
class TrainingSet:
    """Training rows of one entity for a generation.

    Attributes:
        rows: texts packed into `steps * batch` rows.
        tokens: number of tokens from each of `SOURCES`.
        counted: number of tokens that the loss counts.
    """

    rows: Rows
    tokens: Int[np.ndarray, " source"]
    counted: int


def pack_training_sets(study: Study, draws: Sequence[Draw], seed: int, generation: int) -> list[TrainingSet]:
    """Training set of each entity: the texts that it reads, packed into rows in a random order common to all entities."""
    # The number after the last entity's names the stream of what all have in common.
    random = random_stream(seed, generation, len(draws), Purpose.ROW_ORDER)
    order = random.permutation(study.training.rows)
    return [_pack_training_set(draw, study.training, order) for draw in draws]


def _pack_training_set(draw: Draw, training: TrainingSettings, order: Int[np.ndarray, " row"]) -> TrainingSet:
    read = texts_read(draw, training)
    lengths, index = draw.lengths[read], draw.index[read]
    sources = [draw.sources[number] for number in draw.source[read]]
    texts = [source.texts[i] for source, i in zip(sources, index, strict=True)]
    prompts = np.array([source.texts.prompts[i] for source, i in zip(sources, index, strict=True)])
    whole = np.array([training.loss == "text" or source.counted_whole for source in sources])
    packed = pack(texts, prompts, training.rows, training.length, whole)
    names = np.array([source.name for source in sources])
    tokens = np.array([lengths[names == name].sum() for name in SOURCES])
    rows = Rows(packed.tokens[order], packed.segments[order], packed.counted[order])
    return TrainingSet(rows, tokens, int(packed.counted.sum()))
