"""Sources of a training set: the entity's private texts, public text, fresh human text, and what each entity publishes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..data.texts import Texts
from ..study.corpus import Corpus
from ..study.study import Study
from .published import PublishedTexts

SOURCES = ("private", "public", "fresh", "synthetic")
"""Names of sources, in the order of the axis `source` of the measures."""


@dataclass(frozen=True)
class Source:
    """Texts that a training set is drawn from.

    Attributes:
        name: one of `SOURCES`; all entities' published texts are 'synthetic'.
        texts: the texts.
        weight: probability that a drawn text comes from this source, up to a factor common to all sources.
        eligible: indices of the texts that may be drawn.
        counted_whole: whether the loss counts the texts whole even if `training.loss` is 'completion'.
    """

    name: str
    texts: Texts | PublishedTexts
    weight: float
    eligible: range
    counted_whole: bool = False


def training_sources(
    study: Study,
    corpus: Corpus,
    published: Sequence[PublishedTexts],
    entity: int,
    generation: int,
    alpha: float,
    beta: float,
) -> tuple[Source, ...]:
    """Sources of one entity's training set, the published texts of each entity last.

    The weights are (1-α)β for private texts, (1-α)(1-β) for public text, and α for the pool. Of the latter, `pool.fresh` goes
    to human text that no earlier generation has read, the rest to the published texts of entity j in proportion to its share.
    """
    private, public = corpus.private[entity], corpus.public
    synthetic_weight = alpha * (1 - study.pool.fresh)
    return (
        Source("private", private, (1 - alpha) * beta, range(len(private))),
        Source("public", public, (1 - alpha) * (1 - beta), range(len(public)), counted_whole=True),
        Source("fresh", corpus.fresh, alpha * study.pool.fresh, _fresh_texts(study, corpus, generation)),
        *(
            Source("synthetic", texts, synthetic_weight * share, range(len(texts)))
            for texts, share in zip(published, study.shares, strict=True)
        ),
    )


def _fresh_texts(study: Study, corpus: Corpus, generation: int) -> range:
    """Indices of the fresh human texts that belong to a generation; generation 0 reads none."""
    count = len(corpus.fresh) // max(study.generations, 1)
    return range((generation - 1) * count, generation * count)
