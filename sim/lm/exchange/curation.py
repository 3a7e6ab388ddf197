"""Best-of-n selection of completions before publication."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from ..data.tasks import answers_exactly
from ..data.texts import Rows, Texts, pack_all
from ..data.tokenizer import Tokenizer
from ..study.study import Study
from ..train.population import Population, Report
from .published import PublishedTexts


class Judge(ABC):
    """Rule that approves some of the candidates; these come before all others, whatever their likelihood."""

    @abstractmethod
    def approved(
        self, candidates: Sequence[Texts], references: Sequence[np.ndarray], tokenizer: Tokenizer
    ) -> Bool[np.ndarray, "candidate text"]:
        """Whether each candidate is approved.

        Args:
            candidates: for each candidate number, one text per prompt.
            references: tokens of the reference completion of each prompt.
            tokenizer: the tokenizer of both.
        """


class AnswerJudge(Judge):
    """Approves candidates with the right answer."""

    def approved(
        self, candidates: Sequence[Texts], references: Sequence[np.ndarray], tokenizer: Tokenizer
    ) -> Bool[np.ndarray, "candidate text"]:
        """Whether each candidate gives the answer of its reference."""
        expected = [tokenizer.decode(reference) for reference in references]
        return np.array(
            [
                [answers_exactly(tokenizer.decode(texts.completion(i)), answer) for i, answer in enumerate(expected)]
                for texts in candidates
            ],
            bool,
        )


class LikelihoodJudge(Judge):
    """Approves none, so that the likelihood alone decides."""

    def approved(
        self, candidates: Sequence[Texts], references: Sequence[np.ndarray], tokenizer: Tokenizer
    ) -> Bool[np.ndarray, "candidate text"]:
        """False for every candidate."""
        return np.zeros((len(candidates), len(references)), bool)


JUDGES: dict[str, Judge] = {"answer": AnswerJudge(), "likelihood": LikelihoodJudge()}
"""Judges by their names in `pool.judge`."""


def best_candidates(
    likelihoods: Float[np.ndarray, "candidate text"], approved: Bool[np.ndarray, "candidate text"]
) -> Int[np.ndarray, " text"]:
    """Number of the best candidate for each text: the likeliest of the approved ones, or of all where none is approved.

    Args:
        likelihoods: mean log-likelihood per token of each candidate, in nats.
        approved: whether the judge approves each candidate.
    """
    return np.where(approved | ~approved.any(axis=0), likelihoods, -np.inf).argmax(axis=0)


def completion_likelihoods(authors: Population, texts: Sequence[Texts], length: int) -> list[Float[np.ndarray, " _"]]:
    """Mean log-likelihood per token of each completion under the model that generated it, in nats, for each entity's texts.

    Args:
        authors: the models.
        texts: texts that each entity has generated.
        length: tokens per row; no text is longer.
    """
    packed = [pack_all(generated, length) for generated in texts]
    most = 1 << (max(len(rows.tokens) for rows in packed) - 1).bit_length()  # so that few sizes are compiled
    losses = authors.own_losses([_padded(rows, most) for rows in packed])
    likelihoods = []
    for rows, generated, loss in zip(packed, texts, losses, strict=True):
        segment = rows.segments.ravel()  # text number from 1, and 0 at padding
        totals = np.bincount(segment, loss[: len(rows.tokens)].ravel(), len(generated) + 1)[1:]
        counts = np.bincount(segment, rows.counted.ravel(), len(generated) + 1)[1:]
        likelihoods.append(-totals / np.maximum(counts, 1))
    return likelihoods


def best_completions(
    authors: Population,
    study: Study,
    published: Sequence[PublishedTexts],
    key: jax.Array,
    report: Report,
    indices: Sequence[Int[np.ndarray, " _"]],
    round_number: int,
) -> list[list[np.ndarray]]:
    """Texts for some prompts of each entity: for every prompt, the best of `pool.candidates` completions.

    Args:
        authors: the models that generate.
        study: the study.
        published: prompts of each entity.
        key: random key of the generation.
        report: called with the number of tokens generated.
        indices: indices of the prompts that each entity completes.
        round_number: number of earlier calls for this generation, which sets the random numbers of this one.
    """
    key = jax.random.fold_in(key, round_number)
    prompts = [[texts.prompt(i) for i in chosen] for texts, chosen in zip(published, indices, strict=True)]
    candidates = [
        authors.generate(prompts, study.pool, study.training.length, jax.random.fold_in(key, number), report)
        for number in range(study.pool.candidates)
    ]
    if len(candidates) == 1:
        return candidates[0]
    joined = [
        [
            Texts.join(new, texts.prompts[chosen])
            for new, texts, chosen in zip(generated, published, indices, strict=True)
        ]
        for generated in candidates
    ]
    likelihoods = [completion_likelihoods(authors, texts, study.training.length) for texts in joined]
    judge = JUDGES[study.pool.judge]
    selected = []
    for entity, (texts, chosen) in enumerate(zip(published, indices, strict=True)):
        references = [texts.reference(i) for i in chosen]
        approved = judge.approved([one[entity] for one in joined], references, authors.tokenizer)
        best = best_candidates(np.stack([one[entity] for one in likelihoods]), approved)
        selected.append([candidates[number][entity][i] for i, number in enumerate(best)])
    return selected


def _padded(rows: Rows, count: int) -> Rows:
    """Rows with empty ones added, `count` in all."""
    more = ((0, count - len(rows.tokens)), (0, 0))
    return Rows(np.pad(rows.tokens, more), np.pad(rows.segments, more), np.pad(rows.counted, more))
