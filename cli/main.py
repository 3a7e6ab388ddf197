"""Entry point: parses the arguments, runs one command, and turns a user's errors into one sentence and exit code 2."""

import io
import os
import signal
import sys
from typing import Annotated

import tyro

from crossfeed import __version__
from crossfeed.errors import CrossfeedError

from .advise import AdviseCommand
from .baseline import BaselineCommand, mark_options
from .ecosystem import DatasetEcosystem, FileEcosystem, RandomEcosystem
from .estimate import EstimateCommand
from .explore import ExploreCommand
from .extras import missing_extra
from .interruption import leave_at_once
from .jax_setup import set_up_jax
from .limit import LimitCommand
from .lm import LmEvaluate, LmFigure, LmGenerate, LmRun, LmTable
from .measure import MeasureCommand
from .old_spellings import current_spelling
from .plot import PlotCommand
from .predict import PredictCommand
from .reproduce import FiguresCommand, ReproduceCommand
from .simulate import SimulateCommand
from .stability import StabilityCommand
from .sweep import SweepRun, SweepStatus
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
    Annotated[SweepRun, tyro.conf.subcommand("run")] | Annotated[SweepStatus, tyro.conf.subcommand("status")],
    tyro.conf.subcommand(
        "sweep", description="Sweep grids of weights and ecosystems: run a sweep, or show its progress."
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


def main() -> None:
    """Run the command line, and exit with 2 on bad input."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may know no Greek letters
    if sys.argv[1:] == ["--version"]:
        print(f"crossfeed {__version__}")
        return
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.SIG_IGN:
        leave_at_once(lambda: False)  # during imports an exception would end in a traceback, or be swallowed
    try:
        command = tyro.cli(
            Command,  # pyright: ignore[reportArgumentType]
            prog="crossfeed",
            description=_DESCRIPTION,
            args=mark_options(current_spelling(sys.argv[1:])),
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        )
        set_up_jax(small_matrices=not isinstance(command, LmRun | LmEvaluate | LmGenerate))
    finally:
        signal.signal(signal.SIGINT, handler)
    try:
        command.run()
        sys.stdout.flush()
    except CrossfeedError as error:
        _refuse(str(error))
    except ModuleNotFoundError as error:
        if (advice := missing_extra(command, error)) is None:
            raise
        _refuse(advice)
    except BrokenPipeError:  # the reader, such as `head`, has stopped
        _discard_output()
    except OSError as error:
        _discard_output()
        _refuse(f"cannot write the output: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except RuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):  # a JaxRuntimeError
            raise
        _refuse("this does not fit the memory: use fewer entities, features or generations, or a smaller batch")


def _refuse(sentence: str) -> None:
    print(f"crossfeed: {sentence}", file=sys.stderr)
    sys.exit(2)


def _discard_output() -> None:
    """Redirect stdout to nowhere, so that flushing its buffer cannot fail when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
