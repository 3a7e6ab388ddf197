"""All commands, as types that tyro reads arguments into."""

from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from .advise import AdviseCommand
from .baseline import BaselineCommand, mark_options
from .ecosystem import DatasetEcosystem, FileEcosystem, RandomEcosystem
from .estimate import EstimateCommand
from .explore import ExploreCommand
from .figure import FigureCommand, FiguresCommand, ReproduceCommand
from .limit import LimitCommand
from .lm import LmEvaluate, LmFigure, LmGenerate, LmRun, LmTable
from .measure import MeasureCommand
from .old_spellings import current_spelling
from .parsing import parse
from .plot import PlotCommand
from .predict import PredictCommand
from .simulate import SimulateCommand
from .stability import StabilityCommand
from .sweep import SweepCompare, SweepRun, SweepStatus
from .trajectory import TrajectoryCommand
from .verify import VerifyLedger
from .verify_lemma1 import VerifyLemma1

Ecosystem = Annotated[
    Annotated[RandomEcosystem, tyro.conf.subcommand("random")]
    | Annotated[DatasetEcosystem, tyro.conf.subcommand("dataset")]
    | Annotated[FileEcosystem, tyro.conf.subcommand("files")],
    tyro.conf.subcommand(
        "ecosystem", description="Make an ecosystem file: random, from a real data set, or from files."
    ),
]
Sweep = Annotated[
    Annotated[SweepRun, tyro.conf.subcommand("run")]
    | Annotated[SweepStatus, tyro.conf.subcommand("status")]
    | Annotated[SweepCompare, tyro.conf.subcommand("compare")],
    tyro.conf.subcommand(
        "sweep", description="Sweep grids of weights and ecosystems: run a sweep, show its progress, or compare two."
    ),
]
Verify = Annotated[
    Annotated[VerifyLedger, tyro.conf.subcommand("ledger")] | Annotated[VerifyLemma1, tyro.conf.subcommand("lemma1")],
    tyro.conf.subcommand(
        "verify", description="Decide the claims of the ledger by running code, or test Lemma 1 on random ecosystems."
    ),
]
LanguageModels = Annotated[
    Annotated[LmRun, tyro.conf.subcommand("run")]
    | Annotated[LmEvaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[LmGenerate, tyro.conf.subcommand("generate")]
    | Annotated[LmTable, tyro.conf.subcommand("table")]
    | Annotated[LmFigure, tyro.conf.subcommand("figure")],
    tyro.conf.subcommand(
        "lm",
        description="Language models that train on each other's text: run studies, use the models, show the results.",
    ),
]
Command = (
    Annotated[ReproduceCommand, tyro.conf.subcommand("reproduce")]
    | Annotated[FiguresCommand, tyro.conf.subcommand("figures")]
    | Annotated[FigureCommand, tyro.conf.subcommand("figure")]
    | Annotated[LimitCommand, tyro.conf.subcommand("limit")]
    | Annotated[StabilityCommand, tyro.conf.subcommand("stability")]
    | Annotated[TrajectoryCommand, tyro.conf.subcommand("trajectory")]
    | Annotated[SimulateCommand, tyro.conf.subcommand("simulate")]
    | Annotated[PredictCommand, tyro.conf.subcommand("predict")]
    | Annotated[BaselineCommand, tyro.conf.subcommand("baseline")]
    | Sweep
    | Annotated[PlotCommand, tyro.conf.subcommand("plot")]
    | Annotated[ExploreCommand, tyro.conf.subcommand("explore")]
    | Annotated[AdviseCommand, tyro.conf.subcommand("advise")]
    | Annotated[EstimateCommand, tyro.conf.subcommand("estimate")]
    | Annotated[MeasureCommand, tyro.conf.subcommand("measure")]
    | Verify
    | Ecosystem
    | LanguageModels
)

_DESCRIPTION = (
    "What happens when generative models train recursively on each other's outputs: exact results for linear models, "
    "simulations, and language models. --version prints the version."
)


def read_command(arguments: Sequence[str]) -> Any:
    """The command that arguments ask for.

    Raises:
        InvalidInput: the arguments do not fit.
        SystemExit: help was asked for and has been printed.
    """
    return parse(
        Command,
        mark_options(current_spelling(arguments)),
        "crossfeed",
        _DESCRIPTION,
        (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def works_on_small_matrices(command: Any) -> bool:
    """Whether a command computes with the theory's small matrices, not with language models."""
    return not isinstance(command, LmRun | LmEvaluate | LmGenerate)


def runs_once(command: Any) -> bool:
    """Whether compiling takes most of a command's time, so that optimizing its programs does not pay."""
    return isinstance(command, EstimateCommand)


def starts_without_jax(command: Any) -> bool:
    """Whether a command sets JAX up by itself, where it needs it at all."""
    return isinstance(command, LimitCommand | StabilityCommand | TrajectoryCommand)
