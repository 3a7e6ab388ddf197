"""`crossfeed advise`: one page on an ecosystem."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .arguments import EcosystemFile, EntityWeights, WorkflowFile
from .folder import output_folder
from .inputs import load_workflow, parse_weights
from .look import FolderLookOptions


@dataclass(frozen=True)
class AdviseCommand:
    """Write a page with one picture: is training stable and by what margin, who gains and who loses, which weights are best and
    what they buy, what selfish entities would do, and which changes would help most.
    """

    eco: EcosystemFile
    """Ecosystem to advise on."""
    out: Path
    """Folder to write to."""
    alpha: EntityWeights = (0.5,)
    """α in [0, 1] in use, weight of synthetic data: one value for all entities, or one per entity."""
    beta: EntityWeights = (0.5,)
    """β in [0, 1] in use, weight of private against public data: one value for all entities, or one per entity."""
    workflow: WorkflowFile = None
    """TOML file with the tables [estimator], [pool] and [memory]: how entities train, what they read and what they remember."""
    look: FolderLookOptions = field(default_factory=FolderLookOptions)

    def run(self) -> None:
        """Compute, write the page, and print what it says."""
        from ..figures.advice import draw_advice
        from ..figures.report import Request
        from ..theory import Weights, load_ecosystem

        ecosystem = load_ecosystem(self.eco)
        weights = Weights(*parse_weights(self.alpha, self.beta, ecosystem.entities))
        workflow = load_workflow(self.workflow)
        with self.look.looking_in_folder(page=True), output_folder(self.out) as folder:
            report = draw_advice(Request(folder), ecosystem, weights, workflow, str(self.eco))
        print(report.says.replace(". ", ".\n"))
        print("\n".join(str(self.out / name) for name in report.files))
