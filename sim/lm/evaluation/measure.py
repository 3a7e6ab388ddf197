"""Measures taken after a generation: losses, exact answers, similarity and diversity, as arrays with named axes."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float

from ...text_measures import DISTINCT, DRAWN, Embedding, coordinates, distinct_n, similarity, vendi_score
from ..data.tasks import accuracy
from ..data.texts import Texts, pack_all
from ..data.tokenizer import Tokenizer
from ..exchange.sources import SOURCES
from ..study.corpus import Corpus
from ..study.study import Study
from ..train.population import Population, Report

AXES: dict[str, tuple[str, ...]] = {
    "loss": ("entity", "dataset"),
    "accuracy": ("entity", "task"),
    "similarity": ("dataset", "entity", "other"),
    "distinct": ("entity", "dataset", "n"),
    "vendi": ("entity", "dataset"),
    "training_loss": ("entity",),
    "tokens_read": ("entity", "source"),
    "tokens_counted": ("entity",),
}
"""Axes of every measure, after the axis `generation`."""
DRAWN_AXES = ("moment", "entity", "dataset", "item", "coordinate")
"""Axes of `coordinates`, which are kept for the first and the last generation only."""
LABELS = {
    "loss": ("test loss", "nats per token"),
    "accuracy": ("exact answers", "1"),
    "similarity": ("cosine similarity of completions", "1"),
    "distinct": ("distinct-n of completions", "1"),
    "vendi": ("Vendi score of completions", "texts"),
    "training_loss": ("training loss, mean of the generation", "nats per token"),
    "tokens_read": ("tokens trained on in the generation", "tokens"),
    "tokens_counted": ("tokens that the training loss counts", "tokens"),
    "coordinates": ("random projection of embeddings", "1"),
}


@dataclass(frozen=True)
class Sizes:
    """Lengths of the axes of a study's measures.

    Attributes:
        entity: number of entities.
        task: number of tasks.
        dataset: number of tasks, and one for the public text.
        item: number of texts of each dataset that are completed.
    """

    entity: int
    task: int
    dataset: int
    item: int

    def shape(self, axes: Sequence[str]) -> tuple[int, ...]:
        """Shape of an array with these axes."""
        fixed = {"other": self.entity, "n": len(DISTINCT), "source": len(SOURCES), "moment": 2, "coordinate": DRAWN}
        return tuple(fixed.get(axis) or getattr(self, axis) for axis in axes)


class Measurer:
    """Measures of populations on the held-out texts of a study.

    Args:
        study: the study.
        corpus: its texts.
        tokenizer: tokenizer of the models.

    Attributes:
        sizes: lengths of the axes of the measures.

    Raises:
        InvalidInput: the embedding that the study names cannot be had.
    """

    def __init__(self, study: Study, corpus: Corpus, tokenizer: Tokenizer):
        self._study = study
        self._datasets = [*corpus.tests, corpus.public_test]
        items = min(study.measures.text_items, *map(len, self._datasets))
        self._completed = [_first(texts, items) for texts in self._datasets]
        self._scored = [*corpus.tests, self._completed[-1]]
        self._references = [references[:items] for references in corpus.references]
        self.sizes = Sizes(len(corpus.private), len(corpus.tests), len(self._datasets), items)
        references = [texts.completion(i) for texts in self._completed for i in range(len(texts))]
        self._embedding = Embedding(study.measures.embedding, [tokenizer.decode(text) for text in references])

    def empty(self) -> dict[str, np.ndarray]:
        """Arrays of all measures for all generations, filled with NaN."""
        generations = self._study.generations + 1
        arrays = {name: np.full((generations, *self.sizes.shape(axes)), np.nan) for name, axes in AXES.items()}
        return arrays | {"coordinates": np.full(self.sizes.shape(DRAWN_AXES), np.nan, np.float32)}

    def extended(self, saved: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays of all measures for all generations, with those of a run of fewer generations.

        Args:
            saved: arrays of that run. Its last generation is not the last here, so that its coordinates are left out.
        """
        measures = self.empty()
        for name, values in saved.items():
            if name != "coordinates":
                measures[name][: len(values)] = values
        whole = len(saved["loss"]) == len(measures["loss"])
        measures["coordinates"][: 2 if whole else 1] = saved["coordinates"][: 2 if whole else 1]
        return measures

    def generates_text(self, generation: int) -> bool:
        """Whether models generate text to be measured after this generation."""
        return generation % self._study.measures.text_every == 0 or generation == self._study.generations

    def losses(self, population: Population) -> Float[np.ndarray, "entity dataset"]:
        """Mean loss per token of the completions of each dataset, in nats; of public passages, the part after the prompt counts."""
        return completion_losses(population, self._scored, self._study.training.length)

    def texts(self, population: Population, key: jax.Array, report: Report) -> dict[str, np.ndarray]:
        """Measures of the text that models generate from held-out prompts, and `coordinates` of its embeddings.

        Args:
            population: the models.
            key: random key of the sampling.
            report: called with the number of tokens generated.
        """
        study = self._study
        prompts = [texts.prompt(i) for texts in self._completed for i in range(len(texts))]
        generated = population.generate_text(prompts, study.pool, study.training.length, key, report)
        shape = (self.sizes.entity, self.sizes.dataset, self.sizes.item)
        by_dataset = [np.reshape(np.array(texts, dtype=object), shape[1:]).tolist() for texts in generated]
        similarities, vendi_scores, projected = self._embedded(by_dataset)
        return {
            "similarity": similarities,
            "accuracy": np.array(
                [[accuracy(texts[m], self._references[m]) for m in range(self.sizes.task)] for texts in by_dataset]
            ),
            "distinct": np.array(
                [[[distinct_n(texts, n) for n in DISTINCT] for texts in datasets] for datasets in by_dataset]
            ),
            "vendi": vendi_scores.T,
            "coordinates": projected.reshape(shape[1], shape[0], shape[2], -1).swapaxes(0, 1).astype(np.float32),
        }

    def _embedded(self, texts: list[list[list[str]]]) -> list[np.ndarray]:
        """Similarities, Vendi scores and coordinates of texts, each with datasets as the first axis.

        Datasets are embedded one after another, since the embeddings of all would fill the memory.

        Args:
            texts: texts by entity, dataset and item.
        """
        measured = []
        for dataset in range(self.sizes.dataset):
            embedded = self._embedding([text for datasets in texts for text in datasets[dataset]])
            by_entity = embedded.reshape(self.sizes.entity, self.sizes.item, -1)
            measured.append((similarity(by_entity), [vendi_score(items) for items in by_entity], coordinates(embedded)))
        return [np.array(values) for values in zip(*measured, strict=True)]


def completion_losses(
    population: Population, datasets: Sequence[Texts], length: int
) -> Float[np.ndarray, "entity dataset"]:
    """Mean loss per token of the completions of each dataset, in nats.

    Args:
        population: the models.
        datasets: texts of each dataset.
        length: tokens per row that texts are packed into; no text is longer.
    """
    rows = pack_all(Texts.concatenate(datasets), length)
    dataset_of = np.repeat(np.arange(len(datasets)), [len(texts) for texts in datasets])
    # Segments number the texts from 1.
    dataset = np.append(dataset_of, -1)[rows.segments - 1][rows.counted]
    totals = [np.bincount(dataset, losses[rows.counted]) for losses in population.losses(rows)]
    return np.stack(totals) / np.bincount(dataset)


def _first(texts: Texts, count: int) -> Texts:
    return texts.select(range(min(count, len(texts))))
