"""Entry point: parse the arguments, run one command, turn user errors into one sentence and exit code 2."""

import os
import signal
import sys
from typing import Annotated

import tyro

from .ecosystem import DatasetEcosystem, FileEcosystem, RandomEcosystem
from .explore import ExploreCommand
from .interruption import leave_at_once
from .limit import LimitCommand
from .lm import LmEvaluate, LmFigure, LmGenerate, LmRun, LmTable
from .machine import prepare_jax
from .plot import PlotCommand
from .predict import PredictCommand
from .reproduce import FiguresCommand, ReproduceCommand
from .simulate import SimulateCommand
from .sweep import SweepCommand
from .trajectory import TrajectoryCommand
from .verify import VerifyCommand

Ecosystem = Annotated[
    Annotated[RandomEcosystem, tyro.conf.subcommand("random")]
    | Annotated[DatasetEcosystem, tyro.conf.subcommand("dataset")]
    | Annotated[FileEcosystem, tyro.conf.subcommand("files")],
    tyro.conf.subcommand(
        "ecosystem", description="Make an ecosystem file: random, from a real data set, or from files."
    ),
]
LanguageModels = Annotated[
    Annotated[LmRun, tyro.conf.subcommand("run")]
    | Annotated[LmEvaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[LmGenerate, tyro.conf.subcommand("generate")]
    | Annotated[LmTable, tyro.conf.subcommand("table")]
    | Annotated[LmFigure, tyro.conf.subcommand("figure")],
    tyro.conf.subcommand("lm", description="Language models that train on each other's text: run, use, show."),
]
Command = (
    Annotated[ReproduceCommand, tyro.conf.subcommand("reproduce")]
    | Annotated[FiguresCommand, tyro.conf.subcommand("figures")]
    | Annotated[LimitCommand, tyro.conf.subcommand("limit")]
    | Annotated[TrajectoryCommand, tyro.conf.subcommand("trajectory")]
    | Annotated[SimulateCommand, tyro.conf.subcommand("simulate")]
    | Annotated[PredictCommand, tyro.conf.subcommand("predict")]
    | Annotated[SweepCommand, tyro.conf.subcommand("sweep")]
    | Annotated[PlotCommand, tyro.conf.subcommand("plot")]
    | Annotated[ExploreCommand, tyro.conf.subcommand("explore")]
    | Annotated[VerifyCommand, tyro.conf.subcommand("verify")]
    | Ecosystem
    | LanguageModels
)

_DESCRIPTION = (
    "What happens when generative models train recursively on each other's outputs: exact, simulated, learned."
)


def main() -> None:
    """Run the command line; exits with 2 on bad input."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.SIG_IGN:
        leave_at_once(lambda: False)  # amid imports an exception would end in a traceback, or be swallowed
    try:
        command = tyro.cli(
            Command,  # pyright: ignore[reportArgumentType]
            prog="crossfeed",
            description=_DESCRIPTION,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        )
        prepare_jax(small_matrices=not isinstance(command, LmRun | LmEvaluate | LmGenerate))
        import jax  # only now, so that --help does not wait for it

        from ..theory import CrossfeedError
    finally:
        signal.signal(signal.SIGINT, handler)
    try:
        command.run()
        sys.stdout.flush()
    except CrossfeedError as error:
        print(f"crossfeed: {error}", file=sys.stderr)
        sys.exit(2)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        print(
            "crossfeed: this does not fit the memory: ask for less (entities, features, generations, rows of a batch)",
            file=sys.stderr,
        )
        sys.exit(2)
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"crossfeed: cannot write the output: {error.strerror or error}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
