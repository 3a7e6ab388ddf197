"""Coq files: compiled with `coqc` in a temporary folder, whole or with one statement altered."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTED = "8.16"
"""Version of Coq that the files are written for, with MathComp 1.15."""

_LIBRARY = "From mathcomp Require Import all_ssreflect all_algebra.\n"
_OPTIONS = ("-q", "-w", "none", "-Q", ".", "Crossfeed")
_SECONDS = 240


class Unavailable(Exception):
    """Files cannot be compiled on this machine."""


@dataclass(frozen=True)
class CoqError:
    """Error at which `coqc` stops: the line, counted from 1, and the message on one line."""

    line: int
    message: str


@dataclass(frozen=True)
class Theorem:
    """Text of a theorem within its file: everything before it, its statement, and its proof with `Proof.` and `Qed.`"""

    before: str
    statement: str
    proof: str


def find_theorem(source: Path, name: str) -> Theorem:
    """The theorem of this name in a file."""
    text = source.read_text(encoding="utf-8")
    found = re.search(rf"^(?:Theorem|Lemma|Corollary) {name}\b.*?(?=^Proof\.)", text, re.MULTILINE | re.DOTALL)
    end = re.compile(r"\bQed\.").search(text, found.end()) if found else None
    if found is None or end is None:
        raise ValueError(f"{source.name} has no theorem {name} with a proof")
    return Theorem(text[: found.start()], found[0], text[found.end() : end.end()])


def print_assumptions(source: Path, name: str) -> str:
    """What Coq prints for `Print Assumptions` of a theorem, after compiling its file and those that it requires.

    Raises:
        Unavailable: Coq or MathComp is missing, or another version does not compile the file.
        ValueError: the file does not compile with the version it is written for.
    """
    _compile(source)
    query = f"From Crossfeed Require {source.stem}.\nPrint Assumptions {source.stem}.{name}.\n"
    printed, error = _run(_workspace(), f"assumptions_{name}.v", query)
    if error:
        raise ValueError(f"{source.name} has no theorem {name}: {error.message}")
    return printed.strip()


def proof_fails(source: Path, name: str, old: str, new: str) -> bool:
    """Whether the proof of a theorem fails after a change in its statement, which must remain well-formed.

    What comes before the theorem compiles as it is, so its proofs are not checked again. An error there, in the statement
    itself, or none up to the end of the proof does not count.

    Args:
        source: the file.
        name: name of the theorem.
        old: text that occurs exactly once in the statement.
        new: what replaces it.

    Raises:
        Unavailable: as in `print_assumptions`.
        ValueError: the altered statement is not well-formed, or `old` does not occur exactly once.
    """
    theorem = find_theorem(source, name)
    if theorem.statement.count(old) != 1:
        raise ValueError(f"{old!r} does not occur exactly once in the statement of {name}")
    _compile(source)
    checked = re.sub(r"^Proof\..*?\bQed\.", "Admitted.", theorem.before, flags=re.MULTILINE | re.DOTALL)  # by _compile
    before = checked + theorem.statement.replace(old, new)
    _, error = _run(_workspace(), f"altered_{name}.v", before + theorem.proof + "\n")
    if error is None:
        return False
    start, stop = before.count("\n") + 1, before.count("\n") + 1 + theorem.proof.count("\n")
    if error.line < start:
        raise ValueError(f"the altered statement of {name} is not well-formed: {error.message}")
    return error.line <= stop


@cache
def _workspace() -> Path:
    """A temporary folder for compiled files, which lasts as long as this process, once MathComp is known to be there."""
    folder = Path(_temporary_folder().name)
    if _run(folder, "library.v", _LIBRARY)[1]:
        raise Unavailable("MathComp is not installed")
    return folder


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """The folder, removed when the process ends and this object with it."""
    return tempfile.TemporaryDirectory(prefix="crossfeed-coq-")


@cache
def _compile(source: Path) -> None:
    """Compile a file after those that it requires."""
    text = source.read_text(encoding="utf-8")
    for required in re.findall(r"^From Crossfeed Require Import ([^.]*)\.", text, re.MULTILINE):
        for name in required.split():
            _compile(source.with_name(f"{name}.v"))
    _, error = _run(_workspace(), source.name, text)
    if error and not _version().startswith(TESTED):
        raise Unavailable(f"it could not be checked with Coq {_version()}: the files are written for {TESTED}")
    if error:
        raise ValueError(f"{source.name} does not compile, line {error.line}: {error.message}")


def _run(folder: Path, file: str, text: str) -> tuple[str, CoqError | None]:
    """Write and compile a file; what is printed, and the error if there is one."""
    if shutil.which("coqc") is None:
        raise Unavailable("coqc is not installed")
    (folder / file).write_text(text, encoding="utf-8")
    try:
        done = subprocess.run(
            ["coqc", *_OPTIONS, file], cwd=folder, capture_output=True, encoding="utf-8", timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{file} takes more than {_SECONDS} s to compile") from error
    return done.stdout, parse_error(done.stderr) if done.returncode else None


def parse_error(printed: str) -> CoqError:
    """The error that `coqc` printed."""
    place = re.search(r'^File "[^"]*", line (\d+), characters', printed, re.MULTILINE)
    message = printed[place.end() :].partition("Error:")[2] if place else printed
    return CoqError(int(place[1]) if place else 0, " ".join(message.split())[:300])


@cache
def _version() -> str:
    done = subprocess.run(["coqc", "--print-version"], capture_output=True, encoding="utf-8", check=True)
    return done.stdout.split()[0]
