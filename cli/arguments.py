"""Types of arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import tyro

EcosystemFile = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="ECOSYSTEM.npz")]]
WorkflowFile = Annotated[
    Path | None, tyro.conf.arg(metavar="WORKFLOW.toml", help_behavior_hint="(default: the paper's workflow)")
]
EntityWeights = Annotated[tuple[float, ...], tyro.conf.arg(metavar="W [W ...]")]
