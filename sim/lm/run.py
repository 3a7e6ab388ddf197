"""Running a study: generation 0 of every β and seed, then every cell generation by generation, saved after each."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import jax
import numpy as np

from .base import Bases
from .corpus import Corpus
from .measure import Measurer
from .pool import Completer, Published, draw_texts, publish, training_sets
from .population import Population, check_finite
from .run_folder import Cell, Checkpoints, cell_folder, write_measures
from .study import Study
from .tasks import answers_exactly
from .texts import Rows, Texts, pack_all


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: generations finished, of all cells.
        total: generations of all cells.
        doing: what is being done.
        tokens: tokens trained on, scored or written since the last report.
    """

    done: int
    total: int
    doing: str
    tokens: int


Listener = Callable[[Progress], None]


class Runner:
    """Runs the cells of a study.

    Args:
        folder: of the run, made by `create_run`.
        bases: the models that training starts from.
        listen: is told how far the run is.
    """

    def __init__(self, study: Study, corpus: Corpus, bases: Bases, folder: Path, listen: Listener):
        self.study, self.corpus, self.bases, self.folder, self._listen = study, corpus, bases, folder, listen
        self.cells = [Cell(*place) for place in product(study.seeds, study.alpha, study.beta)]
        self._first = sorted({(seed, study.initial_beta(beta)) for seed, _, beta in map(_parts, self.cells)})
        self._total = len(self._first) + len(self.cells) * study.generations
        self._done = 0
        self._measurer = Measurer(study, corpus, bases.population(study.seeds[0]))

    def run(self) -> None:
        """Run what is missing; however often that is interrupted, the measures end the same."""
        finished: dict[Cell, dict[str, np.ndarray]] = {}
        for seed, beta in self._first:
            initial = self._initial(seed, beta)
            for cell in self.cells:
                if (cell.seed, self.study.initial_beta(cell.beta)) == (seed, beta):
                    finished[cell] = self._cell(cell, *initial)
                    write_measures(self.folder, self.study, self.corpus, finished)

    def _initial(self, seed: int, beta: float) -> tuple[Population, dict[str, np.ndarray]]:
        """Generation 0: trained on real data alone."""
        base = self.bases.population(seed)
        measures = self._measurer.empty()
        with closing(Checkpoints(self.folder / "initial" / f"seed{seed}_beta{beta:g}")) as checkpoints:
            if checkpoints.latest is None:
                trained = self._generation(base, base, Cell(seed, 0.0, beta), 0, measures)
                checkpoints.save(0, {"models": trained.state, "measures": measures})
            else:
                trained, measures = _restored(checkpoints, base, measures)
        self._advance(1)
        return trained, measures

    def _cell(self, cell: Cell, initial: Population, first: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Generations 1 to T of a cell, from the last that was saved."""
        measures = {name: values.copy() for name, values in first.items()}
        population = initial
        with closing(Checkpoints(cell_folder(self.folder, self.study, cell))) as checkpoints:
            start = 0
            if checkpoints.latest is not None:
                start = checkpoints.latest
                population, measures = _restored(checkpoints, population, measures)
            self._advance(start)
            for generation in range(start + 1, self.study.generations + 1):
                trained_from = (
                    population if self.study.training.start == "previous" else self.bases.population(cell.seed)
                )
                population = self._generation(population, trained_from, cell, generation, measures)
                checkpoints.save(generation, {"models": population.state, "measures": measures})
                self._advance(1)
        return measures

    def _generation(
        self, writers: Population, learners: Population, cell: Cell, generation: int, measures: dict[str, np.ndarray]
    ) -> Population:
        """Draw, write what is read of the pool, train, measure; the measures are written into their arrays."""
        study, corpus = self.study if generation else self.study.at_first, self.corpus
        alpha = cell.alpha if generation else 0.0
        where = f"seed {cell.seed}, α {alpha:g}, β {cell.beta:g}, generation {generation}"
        key = jax.random.fold_in(jax.random.key(cell.seed), generation)
        key_pool, key_measure = jax.random.split(key)
        published = publish(study, corpus, cell.seed, generation)
        draws = draw_texts(study, corpus, alpha, cell.beta, cell.seed, generation)
        tell = lambda what, tokens: self._tell(f"{where}: {what}", tokens)  # noqa: E731
        complete = self._completer(writers, published, key_pool, tell)
        sets = training_sets(study, corpus, draws, published, complete, cell.seed, generation)
        tell("training", 0)
        trained, losses = learners.train([one.rows for one in sets], study.training)
        check_finite(losses, where)
        tell("measuring", losses.size * study.training.batch * study.training.length)
        measures["loss"][generation] = self._measurer.losses(trained)
        check_finite(measures["loss"][generation], where)  # the last step's result is in no training loss
        measures["training_loss"][generation] = losses.mean(axis=1)
        measures["tokens_read"][generation] = [one.tokens for one in sets]
        measures["tokens_counted"][generation] = [one.counted for one in sets]
        if self._measurer.writes(generation):
            texts = self._measurer.texts(trained, key_measure, tell)
            drawn = texts.pop("coordinates")
            for name, values in texts.items():
                measures[name][generation] = values
            for moment, of in ((0, 0), (1, study.generations)):
                if generation == of:
                    measures["coordinates"][moment] = drawn
        return trained

    def _completer(self, writers: Population, published: Sequence[Published], key: jax.Array, tell) -> Completer:
        """Writes what entities publish; of several candidates, the best."""
        study = self.study
        rounds = iter(range(2**31))

        def complete(indices: list[np.ndarray]) -> list[list[np.ndarray]]:
            of_round = jax.random.fold_in(key, next(rounds))
            prompts = [[own.prompt(i) for i in new] for own, new in zip(published, indices, strict=True)]
            candidates = []
            for number in range(study.pool.candidates):
                of_candidate = jax.random.fold_in(of_round, number)
                candidates.append(writers.write(prompts, study.pool, study.training.length, of_candidate, tell))
            if len(candidates) == 1:
                return candidates[0]
            scores = np.stack([self._scores(writers, published, indices, texts) for texts in candidates])
            best = scores.argmax(axis=0)
            return [[candidates[best[k, i]][k][i] for i in range(len(own))] for k, own in enumerate(indices)]

        return complete

    def _scores(self, writers, published, indices, texts) -> np.ndarray:
        """How good texts are, [entity, text]: mean log-likelihood of a token, and far above that if the answer is right."""
        length = self.study.training.length
        scores = np.zeros((len(texts), max(map(len, texts))))
        joined = [Texts.join(own, pub.prompts[new]) for own, pub, new in zip(texts, published, indices, strict=True)]
        packed = [pack_all(own, length) for own in joined]
        most = max(len(rows.tokens) for rows in packed)
        losses = writers.own_losses([_padded(rows, most) for rows in packed])
        decode = writers.tokenizer.decode
        for k, (rows, own) in enumerate(zip(packed, joined, strict=True)):
            flat = rows.segments.ravel()
            total = np.bincount(flat, losses[k, : len(rows.tokens)].ravel(), len(own) + 1)[1:]
            counted = np.bincount(flat, rows.counted.ravel(), len(own) + 1)[1:]
            scores[k, : len(own)] = -total / np.maximum(counted, 1)
            if self.study.pool.judge == "answer":
                for i, index in enumerate(indices[k]):
                    reference = decode(published[k].reference(index).tolist())
                    scores[k, i] += 1e6 * answers_exactly(decode(own[i][own.prompts[i] :].tolist()), reference)
        return scores

    def _advance(self, generations: int) -> None:
        self._done += generations
        self._listen(Progress(self._done, self._total, "", 0))

    def _tell(self, what: str, tokens: int) -> None:
        self._listen(Progress(self._done, self._total, what, tokens))


def _parts(cell: Cell) -> tuple[int, float, float]:
    return cell.seed, cell.alpha, cell.beta


def _padded(rows: Rows, count: int) -> Rows:
    """With empty rows added."""
    more = ((0, count - len(rows.tokens)), (0, 0))
    return Rows(np.pad(rows.tokens, more), np.pad(rows.segments, more), np.pad(rows.counted, more))


def _restored(
    checkpoints: Checkpoints, like: Population, measures: dict[str, np.ndarray]
) -> tuple[Population, dict[str, np.ndarray]]:
    tree = checkpoints.restore({"models": like.state, "measures": measures})
    return like.with_state(tree["models"]), tree["measures"]
