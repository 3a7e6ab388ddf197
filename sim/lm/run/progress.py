"""Progress of a run: finished generations, and about which part of the present one is done."""

from collections.abc import Callable
from dataclasses import dataclass

from ..evaluation.measure import Measurer
from ..study.study import Study

_TRAINING_COST = 3
"""Cost of training on a token against that of generating one, roughly: forward and backward passes against a single one."""


@dataclass(frozen=True)
class Progress:
    """Progress of a run.

    Attributes:
        done: number of finished generations of all cells, and about which part of the present one is done.
        total: number of generations of all cells.
        doing: what is being done, for example 'seed 0, α 0.5, β 0.5, generation 3: training'.
        tokens: number of tokens trained on or generated since the last report.
        note: sentence to show to the user, if any.
        work: about which part of all work is done, from 0 to 1; generations differ in the tokens they process.
    """

    done: float | int
    total: int
    doing: str
    tokens: int
    note: str = ""
    work: float = 0.0


Listener = Callable[[Progress], None]


class GenerationProgress:
    """Part of a generation that is done, estimated from the tokens that its stages are expected to process.

    Args:
        study: the study, with the training settings of the generation.
        measurer: the measurer of the run.
        alpha: share of the texts that are generated.
        generation: number of the generation.
    """

    def __init__(self, study: Study, measurer: Measurer, alpha: float, generation: int):
        sizes, rows = measurer.sizes, len(study.entities) * study.training.rows * study.training.length
        completed = sizes.entity * sizes.dataset * sizes.item * study.pool.new_tokens
        self._expected = {
            "generating": alpha * rows * study.pool.candidates,
            "training": float(_TRAINING_COST * rows),
            "measuring": float(completed) if measurer.generates_text(generation) else 1.0,
        }
        self._stage, self._before, self._within = "generating", 0.0, 0.0

    @property
    def cost(self) -> float:
        """Cost of the generation, in that of generating a token."""
        return sum(self._expected.values(), 0.0)

    def after(self, stage: str, tokens: int) -> float:
        """Part that is done after a report.

        Args:
            stage: what is being done; measuring consists of generating, too.
            tokens: number of tokens that have been processed.
        """
        if stage != self._stage and not (self._stage == "measuring" and stage == "generating"):
            names = list(self._expected)
            self._before = sum(self._expected[name] for name in names[: names.index(stage)])
            self._stage, self._within = stage, 0.0
        else:
            self._within += tokens * (_TRAINING_COST if stage == "training" else 1)
        within = min(self._within, self._expected[self._stage])
        return (self._before + within) / self.cost
