"""Entry point: parses the arguments, runs one command, and turns a user's errors into one sentence and exit code 2."""

import io
import os
import signal
import sys
from typing import Any, NoReturn, TextIO

from crossfeed import __version__
from crossfeed.errors import CrossfeedError, one_line

from .extras import missing_extra
from .interruption import leave_at_once
from .jax_setup import missing_device, set_up_jax
from .quick import quick_command


def main() -> None:
    """Run the command line, and exit with 2 on bad input."""
    _make_streams_safe()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported: matrices are small
    command = None
    try:
        try:
            if sys.argv[1:] == ["--version"]:
                print(f"crossfeed {__version__}")
                return
            if (run := quick_command(sys.argv[1:])) is None:
                command = _command()
                run = command.run
            run()
        finally:
            sys.stdout.flush()  # also of help, which ends the process: Python's own flush would fail without a sentence
    except CrossfeedError as error:
        _refuse(str(error))
    except ModuleNotFoundError as error:
        if (advice := missing_extra(command, error)) is None:
            raise
        _refuse(advice)
    except BrokenPipeError:  # the reader, such as `head`, has stopped
        _discard(sys.stdout)
    except OSError as error:
        _discard(sys.stdout)
        where = f"cannot read or write {error.filename}" if error.filename else "cannot write the output"
        _refuse(one_line(f"{where}: {error.strerror or error}"))
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except Exception as error:
        if (advice := missing_device(error)) is not None:
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
    """The command that the arguments ask for, whose inputs have been checked, after JAX has been set up if it needs that."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.SIG_IGN:
        leave_at_once(lambda: False)  # during imports an exception would end in a traceback, or be swallowed
    try:
        from .commands import read_command, runs_once, starts_without_jax, works_on_small_matrices

        command = read_command(sys.argv[1:])
        if check := getattr(command, "check", None):
            check()  # refuses what can be told before the slow imports
        if not starts_without_jax(command):
            set_up_jax(works_on_small_matrices(command), runs_once(command))
    finally:
        signal.signal(signal.SIGINT, handler)
    return command


def _refuse(sentence: str) -> NoReturn:
    _end(sentence, 2)


def _end(sentence: str, status: int) -> NoReturn:
    try:
        print(f"crossfeed: {sentence}", file=sys.stderr, flush=True)
    except OSError:  # a disk is full, or the reader has stopped
        _discard(sys.stderr)
    sys.exit(status)


def _discard(stream: TextIO) -> None:
    """Redirect a stream to nowhere, so that flushing its buffer cannot fail when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
