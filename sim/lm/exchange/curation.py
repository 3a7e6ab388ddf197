"""What entities publish of what they write: of several completions of a prompt, the best."""

from collections.abc import Sequence
from itertools import count

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from ..data.tasks import answers_exactly
from ..data.texts import Rows, Texts, pack_all
from ..study.study import Study
from ..train.population import Population, Report
from .pool import Completer, Published


def best_candidates(
    likelihoods: Float[np.ndarray, "candidate text"], right: Bool[np.ndarray, "candidate text"]
) -> Int[np.ndarray, " text"]:
    """Which candidate is best: the likeliest of those that are right, or of all where none is.

    Args:
        likelihoods: mean log-likelihood of a token, in nats.
        right: whether the answer counts as right; nowhere if answers are not judged.
    """
    return np.where(right | ~right.any(axis=0), likelihoods, -np.inf).argmax(axis=0)


def likelihoods(writers: Population, texts: Sequence[Texts], length: int) -> list[Float[np.ndarray, " text"]]:
    """Mean log-likelihood of a completion's token under its own writer, in nats, for each entity's texts.

    Args:
        length: tokens of a row, no text being longer.
    """
    packed = [pack_all(own, length) for own in texts]
    most = 1 << (max(len(rows.tokens) for rows in packed) - 1).bit_length()  # few sizes are compiled
    losses = writers.own_losses([_padded(rows, most) for rows in packed])
    found = []
    for rows, own, loss in zip(packed, texts, losses, strict=True):
        text = rows.segments.ravel()
        total = np.bincount(text, loss[: len(rows.tokens)].ravel(), len(own) + 1)[1:]
        found.append(-total / np.maximum(np.bincount(text, rows.counted.ravel(), len(own) + 1)[1:], 1))
    return found


def make_completer(
    writers: Population, study: Study, published: Sequence[Published], key: jax.Array, report: Report
) -> Completer:
    """What writes the texts that entities publish: `pool.candidates` completions of each prompt, of which the best stays."""
    rounds = count()

    def complete(indices: list[np.ndarray]) -> list[list[np.ndarray]]:
        of_round = jax.random.fold_in(key, next(rounds))
        prompts = [[own.prompt(i) for i in new] for own, new in zip(published, indices, strict=True)]
        candidates = [
            writers.write(prompts, study.pool, study.training.length, jax.random.fold_in(of_round, number), report)
            for number in range(study.pool.candidates)
        ]
        return candidates[0] if len(candidates) == 1 else _chosen(writers, study, published, indices, candidates)

    return complete


def _chosen(
    writers: Population,
    study: Study,
    published: Sequence[Published],
    indices: list[np.ndarray],
    candidates: list[list[list[np.ndarray]]],
) -> list[list[np.ndarray]]:
    joined = [
        [Texts.join(texts, own.prompts[new]) for texts, own, new in zip(one, published, indices, strict=True)]
        for one in candidates
    ]
    scores = [likelihoods(writers, one, study.training.length) for one in joined]
    decode = writers.tokenizer.decode
    chosen = []
    for k, (own, new) in enumerate(zip(published, indices, strict=True)):
        right = np.zeros((len(candidates), len(new)), bool)
        if study.pool.judge == "answer":
            references = [decode(own.reference(i)) for i in new]
            written = [[decode(one[k][i][n:]) for i, n in enumerate(own.prompts[new])] for one in joined]
            right |= [[answers_exactly(*pair) for pair in zip(texts, references, strict=True)] for texts in written]
        best = best_candidates(np.stack([one[k] for one in scores]), right)
        chosen.append([candidates[number][k][i] for i, number in enumerate(best)])
    return chosen


def _padded(rows: Rows, count: int) -> Rows:
    """With empty rows added."""
    more = ((0, count - len(rows.tokens)), (0, 0))
    return Rows(np.pad(rows.tokens, more), np.pad(rows.segments, more), np.pad(rows.counted, more))
