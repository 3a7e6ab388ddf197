"""Entry point: parses the arguments, runs one command, and turns a user's errors into one sentence and exit code 2."""

import io
import os
import signal
import sys
from typing import Annotated, Any, NoReturn

import tyro

from crossfeed import __version__
from crossfeed.errors import CrossfeedError, one_line

from .advise import AdviseCommand
from .baseline import BaselineCommand, mark_options
from .ecosystem import DatasetEcosystem, FileEcosystem, RandomEcosystem
from .estimate import EstimateCommand
from .explore import ExploreCommand
from .extras import missing_extra
from .figure import FigureCommand, FiguresCommand, ReproduceCommand
from .interruption import leave_at_once
from .jax_setup import missing_device, set_up_jax
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


def main() -> None:
    """Run the command line, and exit with 2 on bad input."""
    _make_streams_safe()
    command = None
    try:
        try:
            if sys.argv[1:] == ["--version"]:
                print(f"crossfeed {__version__}")
                return
            command = _command()
            command.run()
        finally:
            sys.stdout.flush()  # also of help, which ends the process: Python's own flush would fail without a sentence
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
        where = f"cannot read or write {error.filename}" if error.filename else "cannot write the output"
        _refuse(one_line(f"{where}: {error.strerror or error}"))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if (advice := missing_device()) is not None:
            _refuse(advice)
        if "RESOURCE_EXHAUSTED" not in str(error) and not isinstance(error, MemoryError):  # a JaxRuntimeError
            raise
        _refuse("this does not fit the memory: use fewer entities, features or generations, or a smaller batch")


def _make_streams_safe() -> None:
    """Give the process the streams that it lacks, and let none of them fail at a letter that it cannot show."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as cron does
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may know no Greek letters


def _command() -> Any:
    """The command that the arguments ask for, after JAX has been set up for it."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.SIG_IGN:
        leave_at_once(lambda: False)  # during imports an exception would end in a traceback, or be swallowed
    try:
        command = parse(
            Command,
            mark_options(current_spelling(sys.argv[1:])),
            "crossfeed",
            _DESCRIPTION,
            (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        )
        set_up_jax(
            small_matrices=not isinstance(command, LmRun | LmEvaluate | LmGenerate),
            run_once=isinstance(command, LimitCommand | TrajectoryCommand),
        )
    finally:
        signal.signal(signal.SIGINT, handler)
    return command


def _refuse(sentence: str) -> NoReturn:
    print(f"crossfeed: {sentence}", file=sys.stderr)
    sys.exit(2)


def _discard_output() -> None:
    """Redirect stdout to nowhere, so that flushing its buffer cannot fail when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
