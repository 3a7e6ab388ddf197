"""Runs readers on damaged input, one case after the other in one process, with limits of time and memory for each."""

import os
import resource
import shutil
import signal
import tempfile
import traceback
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from crossfeed.errors import CrossfeedError

from .mutations import Mutation

SECONDS = 20.0
BYTES = 2**30
LONGEST_MESSAGE = 320
_MEMORY = "/dev/shm"  # where removing a folder takes no milliseconds


@dataclass(frozen=True)
class Reader:
    """A reader of users' files, with a good input and what may happen to it.

    Attributes:
        name: of the reader.
        make: writes the good input into an empty folder; called once.
        read: reads the folder; whatever it returns is right, and it raises AssertionError where a damaged value was read.
        mutations: of which each case gets one, or now and then two.
    """

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    mutations: tuple[Mutation, ...]


@dataclass
class Outcome:
    """What came of the cases of one reader.

    Attributes:
        read: number of cases that were read without an error.
        refused: number of cases that were refused with a sentence.
        failures: number and last traceback of every kind of anything else, by what identifies the kind.
        first: number of the first case of every kind of failure.
    """

    read: int = 0
    refused: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)


class _TimeIsUpError(BaseException):
    pass


@contextmanager
def limits(seconds: float = SECONDS, more_bytes: int = BYTES) -> Generator[None]:
    """Context manager that raises after so many seconds, and lets allocations fail beyond so much more memory than now."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUpError

    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else None
    handler = signal.signal(signal.SIGALRM, ring)
    if pages is not None:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more_bytes, hard))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def mutated(reader: Reader, good: Path, number: int, folder: Path) -> None:
    """Write the input of one case into a new folder; it depends on the reader's name and the number only."""
    random = Random(zlib.crc32(reader.name.encode()) + number)
    shutil.copytree(good, folder)
    twice = random.random() < 0.15
    random.choice(reader.mutations)(folder, random)
    if twice:
        with suppress(Exception):  # the first mutation may have left nothing that a second can take apart
            random.choice(reader.mutations)(folder, random)


def run(reader: Reader, cases: range) -> Outcome:
    """Outcome of these cases of a reader."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as scratch:
        good = Path(scratch, "good")
        good.mkdir()
        reader.make(good)
        shutil.copytree(good, Path(scratch, "whole"))
        reader.read(Path(scratch, "whole"))  # which compiles what it needs, so that no case waits for that
        for number in cases:
            folder = Path(scratch, "case")
            mutated(reader, good, number, folder)
            kind, trace = _kind_of_failure(reader, folder)
            if kind in ("read", "refused"):
                setattr(outcome, kind, getattr(outcome, kind) + 1)
            else:
                outcome.failures[kind] += 1
                outcome.first.setdefault(kind, number)
                outcome.traces.setdefault(kind, trace)
            shutil.rmtree(folder)
    return outcome


def _kind_of_failure(reader: Reader, folder: Path) -> tuple[str, str]:
    """ "read", "refused", or what identifies the failure, with its traceback."""
    try:
        with limits():
            reader.read(folder)
    except CrossfeedError as error:
        said = str(error)
        if len(said) > LONGEST_MESSAGE + len(str(folder)):
            return "message too long", said
        odd = [letter for letter in said if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        return ("message with control characters", said) if odd else ("refused", "")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [
            f"{Path(frame.filename).name}:{frame.name}" for frame in frames if "site-packages" not in frame.filename
        ]
        return f"{type(error).__name__} in {ours[-1] if ours else '?'}", "".join(traceback.format_exception(error))
    return "read", ""
