"""The loop of a run: generation 0 of every seed and β, then every cell generation by generation, saved after each."""

from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path

import jax
import numpy as np

from crossfeed.multihost import as_first, first_alone
from crossfeed.random_keys import seeded_key

from ..evaluation.measure import Measurer
from ..exchange.curation import best_completions
from ..exchange.prompts import draw_prompts
from ..exchange.training_sets import draw_texts, generate_texts_read, pack_training_sets
from ..study.study import Study
from ..train.population import Population, Report, check_finite
from .checkpointing import Checkpoints, restore_models
from .initial_models import Bases, model_configs
from .inputs import Inputs
from .measures_store import write_measures
from .progress import GenerationProgress, Listener, Progress
from .run_folder import Cell, cell_folder, initial_folder

Measures = dict[str, np.ndarray]
"""Arrays of all measures for all generations of a cell, from `Measurer.empty`."""


class Runner:
    """Run of a study.

    Args:
        study: the study.
        inputs: its texts, tokenizer and pretrained models.
        folder: folder of the run; `create_run` makes it before `run` is called.
        listen: called with the progress.

    Raises:
        InvalidInput: the embedding that the study names cannot be had.
    """

    def __init__(self, study: Study, inputs: Inputs, folder: Path, listen: Listener):
        self.study, self.corpus, self.folder, self._listen = study, inputs.corpus, folder, listen
        self.fingerprints = inputs.fingerprints()
        self.tokenizer, self.model_configs = inputs.tokenizer, model_configs(study, inputs)
        self.bases = Bases(study, inputs, folder, self._report)
        self.measurer = Measurer(study, inputs.corpus, inputs.tokenizer)
        self.cells = [Cell(*values) for values in product(study.seeds, study.alpha, study.beta)]
        self._folders = {cell: cell_folder(folder, study, cell) for cell in self.cells}
        self._starts = sorted({(cell.seed, study.initial_beta(cell.beta)) for cell in self.cells})
        self._total = len(self._starts) + len(self.cells) * study.generations
        self._done, self._found = 0, dict.fromkeys(self.cells, 0)
        first, later = (
            self._first_cost() * len(self._starts),
            [self._cost(cell, study.generations) for cell in self.cells],
        )
        self._work, self._all_work = 0.0, first + sum(later)

    def run(self) -> None:
        """Run all generations that are missing. However often a run is interrupted, its final measures are the same."""
        self._measures = self._measured_before()
        for cell, found in self._found.items():
            self._advance(found, self._cost(cell, found))
        if self._measures:
            self._write_measures()  # the last run may have been killed between saving a checkpoint and writing its measures
        for seed, beta in self._starts:
            initial = self._initial(seed, beta)
            for cell in self._cells_from(seed, beta):
                self._cell(cell, initial)

    def _measured_before(self) -> dict[Path, Measures]:
        """Measures of all cells in their last checkpoints, by the folder of the cell."""
        measured = {}
        for cell, own_folder in self._folders.items():
            for folder in (initial_folder(self.folder, self.study, cell), own_folder):
                if as_first(folder.is_dir()):
                    with closing(Checkpoints(folder)) as checkpoints:
                        if checkpoints.latest is not None:
                            self._found[cell] = checkpoints.latest
                            saved = checkpoints.restore({"measures": self.measurer.empty()})["measures"]
                            measured[own_folder] = self.measurer.extended(saved)
        return measured

    def _initial(self, seed: int, beta: float) -> Population:
        """Models of generation 0, which are trained on real data alone."""
        first = Cell(seed, 0.0, beta)
        with closing(Checkpoints(initial_folder(self.folder, self.study, first))) as checkpoints:
            if checkpoints.latest is not None:
                trained = self._restore(checkpoints)
            else:
                base, measures = self.bases.population(seed), self.measurer.empty()
                trained = self._generation(base, base, first, 0, measures)
                checkpoints.save(0, {"models": trained.state, "measures": measures})
                for cell in self._cells_from(seed, beta):
                    self._measures.setdefault(
                        self._folders[cell], {name: values.copy() for name, values in measures.items()}
                    )
                self._write_measures()
        self._advance(1, self._first_cost())
        return trained

    def _cell(self, cell: Cell, population: Population) -> None:
        """Run generations 1 to T of a cell, or those of them that have not been saved yet."""
        measures = self._measures[self._folders[cell]]
        with closing(Checkpoints(self._folders[cell])) as checkpoints:
            start = checkpoints.latest or 0
            if 0 < start < self.study.generations:
                population = self._restore(checkpoints)
            found = self._found[cell]  # less than `start` if a cell with the same checkpoints has computed them
            self._advance(start - found, self._cost(cell, start) - self._cost(cell, found))
            for generation in range(start + 1, self.study.generations + 1):
                previous = self.study.training.start == "previous"
                learners = population if previous else self.bases.population(cell.seed)
                population = self._generation(population, learners, cell, generation, measures)
                checkpoints.save(generation, {"models": population.state, "measures": measures})
                self._write_measures()
                self._advance(1, self._cost(cell, generation) - self._cost(cell, generation - 1))

    def _generation(
        self, authors: Population, learners: Population, cell: Cell, generation: int, measures: Measures
    ) -> Population:
        """Models after one generation of a cell, whose measures are written into their arrays: see the docstring of `sim.lm`.

        Args:
            authors: models that generate the published texts, those of the generation before.
            learners: models that are trained.
            cell: the cell; generation 0 has no α.
            generation: its number.
            measures: arrays of all generations.
        """
        study, corpus, seed = self.study if generation else self.study.at_first, self.corpus, cell.seed
        alpha = cell.alpha if generation else 0.0
        exchange = f"α {alpha:g}, " if generation else ""
        where = f"seed {seed}, {exchange}β {cell.beta:g}, generation {generation}"
        key_pool, key_measure = jax.random.split(jax.random.fold_in(seeded_key(seed), generation))
        part = GenerationProgress(study, self.measurer, alpha, generation)
        report = partial(self._report_generation, where, part)

        published = draw_prompts(study, corpus, seed, generation)
        draws = draw_texts(study, corpus, published, alpha, cell.beta, seed, generation)
        complete = partial(best_completions, authors, study, published, key_pool, report)
        generate_texts_read(draws, published, study.training, complete)
        training_sets = pack_training_sets(study, draws, seed, generation)
        report("training", 0)
        trained, losses = learners.train(
            [one.rows for one in training_sets], study.training, partial(report, "training")
        )
        check_finite(losses, where, of_steps=True)
        report("measuring", 0)
        measures["training_loss"][generation] = losses.mean(axis=1)
        measures["tokens_read"][generation] = [one.tokens for one in training_sets]
        measures["tokens_counted"][generation] = [one.counted for one in training_sets]
        measures["loss"][generation] = self.measurer.losses(trained)
        # No training loss is that of the models after the last step.
        check_finite(measures["loss"][generation], where, of_steps=False)
        if self.measurer.generates_text(generation):
            self._measure_texts(trained, generation, key_measure, measures, report)
        return trained

    def _measure_texts(
        self, trained: Population, generation: int, key: jax.Array, measures: Measures, report: Report
    ) -> None:
        values_of_texts = self.measurer.texts(trained, key, report)
        coordinates = values_of_texts.pop("coordinates")
        for name, values in values_of_texts.items():
            measures[name][generation] = values
        for moment, kept in enumerate((0, self.study.generations)):
            if generation == kept:
                measures["coordinates"][moment] = coordinates

    def _report_generation(self, where: str, part: GenerationProgress, what: str, tokens: int) -> None:
        done = part.after(what, tokens)
        work = (self._work + done * part.cost) / self._all_work
        self._listen(Progress(self._done + done, self._total, f"{where}: {what}", tokens, work=work))

    def _restore(self, checkpoints: Checkpoints) -> Population:
        return restore_models(checkpoints, Population.shapes(self.model_configs, self.tokenizer), self.study)

    def _write_measures(self) -> None:
        measured = {cell: self._measures[folder] for cell, folder in self._folders.items() if folder in self._measures}
        first_alone(lambda: write_measures(self.folder, self.study, self.corpus, self.fingerprints, measured))

    def _cells_from(self, seed: int, beta: float) -> list[Cell]:
        """Cells that start from the same generation 0."""
        return [cell for cell in self.cells if (cell.seed, self.study.initial_beta(cell.beta)) == (seed, beta)]

    def _first_cost(self) -> float:
        """Cost of generation 0."""
        return GenerationProgress(self.study.at_first, self.measurer, 0.0, 0).cost

    def _cost(self, cell: Cell, last: int) -> float:
        """Cost of generations 1 to `last` of a cell."""
        parts = (GenerationProgress(self.study, self.measurer, cell.alpha, t) for t in range(1, last + 1))
        return sum((part.cost for part in parts), 0.0)

    def _advance(self, generations: int, cost: float) -> None:
        self._done += generations
        self._work += cost
        self._report("", 0)

    def _report(self, what: str, tokens: int) -> None:
        self._listen(Progress(self._done, self._total, what, tokens, work=self._work / self._all_work))
