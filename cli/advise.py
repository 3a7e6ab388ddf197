"""`crossfeed advise`: one page on an ecosystem, or on runs of language models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .arguments import WorkflowFile
from .folder import output_folder
from .inputs import blaming, check_runs, load_workflow, parse_weights, read_inputs
from .look import FolderLookOptions

if TYPE_CHECKING:
    from ..figures.report import Report

_DEFAULT = 0.5  # α and β of ecosystems
_Weights = Annotated[
    tuple[float, ...],
    tyro.conf.arg(metavar="W [W ...]", help_behavior_hint="(default: 0.5, or the only value of runs)"),
]


@dataclass(frozen=True)
class AdviseCommand:
    """Write a page with one picture. Of an ecosystem: is training stable and by what margin, who gains and who loses, which weights
    are best and what they buy, what selfish entities would do, and which changes would help most. Of runs of language models: who
    gains and who loses, how losses go on beside how well that can be told, and what other weights do as far as the runs show it.
    """

    source: tyro.conf.Positional[
        Annotated[
            tuple[Path, ...],
            tyro.conf.arg(metavar="ECOSYSTEM.npz|RUN [RUN ...]", help_behavior_hint="(required)"),
        ]
    ]
    """Ecosystem to advise on, or folders of runs that differ in seeds, α and β only."""
    out: Path
    """Folder to write to."""
    alpha: _Weights = ()
    """α in [0, 1] in use, weight of synthetic data: one value for all entities, or of an ecosystem one per entity."""
    beta: _Weights = ()
    """β in [0, 1] in use, weight of private against public data: one value for all entities, or of an ecosystem one per entity."""
    workflow: WorkflowFile = None
    """TOML file with the tables [estimator], [pool] and [memory]: how entities of an ecosystem train, what they read and what they
    remember."""
    look: FolderLookOptions = field(default_factory=FolderLookOptions)

    @property
    def extra(self) -> str:
        """Extras of the package that advice on this needs."""
        return "figures,lm" if self._of_runs else "figures"

    @property
    def _of_runs(self) -> bool:
        return any(path.is_dir() for path in self.source)

    def check(self) -> None:
        """Refuse inputs that do not fit."""
        from crossfeed.errors import InvalidInput
        from crossfeed.formulas.weights import Weights

        alpha, beta = self.alpha or (_DEFAULT,), self.beta or (_DEFAULT,)
        if not self._of_runs:
            if len(self.source) != 1:
                raise InvalidInput(
                    f"{len(self.source)} files are given, but advice is on one ecosystem or on folders of runs"
                )
            read_inputs(self.source[0], alpha, beta, self.workflow)
            return
        if self.workflow is not None:
            raise InvalidInput(f"workflow is {self.workflow}, but runs of language models have their own")
        for name, values in (("alpha", alpha), ("beta", beta)):
            if len(values) > 1:
                raise InvalidInput(f"{name} has {len(values)} values, but all models of a run have one")
        Weights(alpha[0], beta[0])
        check_runs(*self.source)

    def run(self) -> None:
        """Compute, write the page, and print what it says."""
        from .progress import working

        with working("advising"), self.look.looking_in_folder(page=True):
            report = self._on_runs() if self._of_runs else self._on_ecosystem()
        print(report.says)
        print("\n".join(str(self.out / name) for name in report.files))

    def _on_ecosystem(self) -> Report:
        from ..figures.advice import draw_advice
        from ..figures.report import Request
        from ..theory import Weights, load_ecosystem

        ecosystem = load_ecosystem(self.source[0])
        alpha, beta = self.alpha or (_DEFAULT,), self.beta or (_DEFAULT,)
        weights = Weights(*parse_weights(alpha, beta, ecosystem.entities))
        workflow = load_workflow(self.workflow)
        with blaming(self.workflow), output_folder(self.out) as folder:
            return draw_advice(Request(folder), ecosystem, weights, workflow, str(self.source[0]))

    def _on_runs(self) -> Report:
        from ..figures.lm.advice import draw_loss_advice
        from ..figures.lm.runs import open_runs
        from ..figures.report import Request

        alpha, beta = (values[0] if values else None for values in (self.alpha, self.beta))
        data = open_runs(self.source)
        with output_folder(self.out) as folder:
            return draw_loss_advice(Request(folder), data, alpha, beta, ", ".join(map(str, self.source)))
