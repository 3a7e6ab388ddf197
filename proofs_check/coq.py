"""Coq files: compiled with `coqc` in a temporary folder, and their proofs tried on altered statements with `coqtop`."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTED = "8.16"
"""Version of Coq that the files are written for, with MathComp 1.15."""

_LIBRARY = "From mathcomp Require Import all_ssreflect all_algebra.\n"
_OPTIONS = ("-q", "-w", "none", "-Q", ".", "Crossfeed")
_SECONDS = 240  # for a file, and for all alterations of a file


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


@dataclass(frozen=True)
class Alteration:
    """Change of a theorem's statement: `old` occurs exactly once there, and `new` replaces it."""

    theorem: str
    old: str
    new: str


def find_theorem(source: Path, name: str) -> Theorem:
    """The theorem of this name in a file."""
    text = source.read_text(encoding="utf-8")
    found = re.search(rf"^(?:Theorem|Lemma|Corollary) {name}\b.*?(?=^Proof\.)", text, re.MULTILINE | re.DOTALL)
    end = re.compile(r"\bQed\.").search(text, found.end()) if found else None
    if found is None or end is None:
        raise ValueError(f"{source.name} has no theorem {name} with a proof")
    return Theorem(text[: found.start()], found[0], text[found.end() : end.end()])


def print_assumptions(source: Path, names: Sequence[str]) -> list[str]:
    """What Coq prints for `Print Assumptions` of theorems, after compiling their file and those that it requires.

    Raises:
        Unavailable: Coq or MathComp is missing, or another version does not compile the file.
        ValueError: the file does not compile with the version it is written for, or has no such theorem.
    """
    _compile(source)
    queries = [f"Print Assumptions {source.stem}.{name}.\n" for name in names]
    answers = _session([f"From Crossfeed Require {source.stem}.\n", *queries])[1:]
    for name, answer in zip(names, answers, strict=True):
        if "Error:" in answer:
            raise ValueError(f"{source.name} has no theorem {name}: {_message(answer)}")
    return answers


def proofs_fail(source: Path, alterations: Sequence[Alteration]) -> list[bool]:
    """Whether the proofs of theorems fail after changes in their statements, which must remain well-formed.

    Proofs before them are not checked again. Coq goes on after a step that fails: a proof that succeeds without it counts as one
    that does not fail.

    Args:
        source: the file.
        alterations: the changes, each to the file as it is.

    Raises:
        Unavailable: as in `print_assumptions`.
        ValueError: an altered statement is not well-formed, or `old` does not occur exactly once.
    """
    _compile(source)
    theorems = [find_theorem(source, change.theorem) for change in alterations]
    order = sorted(range(len(alterations)), key=lambda at: len(theorems[at].before))
    parts, done = [], 0
    for at in order:
        change, theorem = alterations[at], theorems[at]
        if theorem.statement.count(change.old) != 1:
            raise ValueError(f"{change.old!r} does not occur exactly once in the statement of {change.theorem}")
        altered = theorem.statement.replace(change.old, change.new)
        begun, done = _unproved(theorem.before[done:]), len(theorem.before)
        statement = re.sub(rf"\b{change.theorem}\b", f"altered_{at}", altered, count=1)
        parts += [begun, f"{statement}Show.\n", f"{theorem.proof}\nAbort All.\n", f"Check altered_{at}.\n"]
    answers = _session(parts)
    for at, said in zip(order, answers[1::4], strict=True):
        if "Error:" in said:
            theorem = alterations[at].theorem
            raise ValueError(f"the altered statement of {theorem} is not well-formed: {_message(said)}")
    failed = {at: "Error:" in said for at, said in zip(order, answers[3::4], strict=True)}
    return [failed[at] for at in range(len(alterations))]


def _unproved(text: str) -> str:
    """Part of a file without its proofs, which a compiler has accepted."""
    return re.sub(r"^Proof\..*?\bQed\.", "Admitted.", text, flags=re.MULTILINE | re.DOTALL)


def _session(parts: Sequence[str]) -> list[str]:
    """What Coq prints for each part of a text, when it goes on after errors.

    Raises:
        Unavailable: it takes too long.
    """
    ends = [f"part_{number}_ends" for number in range(len(parts))]
    text = "Set Silent.\n" + "".join(f"{part}Check {end}.\n" for part, end in zip(parts, ends, strict=True))
    printed = _execute(["coqtop", "-quiet", "-color", "no"], _workspace(), text).stdout
    answers = []
    for end in ends:  # nothing has this name, so Coq complains
        said, _, printed = printed.partition(f"> Check {end}.\n")
        printed = printed.partition("Error:")[2].partition("\n\n")[2]
        answers.append(re.sub(r"^(?:\w+ < )+", "", said.rpartition("Toplevel input")[0], flags=re.MULTILINE).strip())
    return answers


@cache
def _workspace() -> Path:
    """A temporary folder for compiled files, which lasts as long as this process, once MathComp is known to be there."""
    folder = Path(_temporary_folder().name)
    if _run(folder, "library.v", _LIBRARY):
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
    error = _run(_workspace(), source.name, text)
    if error and not _version().startswith(TESTED):
        raise Unavailable(f"it could not be checked with Coq {_version()}: the files are written for {TESTED}")
    if error:
        raise ValueError(f"{source.name} does not compile, line {error.line}: {error.message}")


def _run(folder: Path, file: str, text: str) -> CoqError | None:
    """Write and compile a file; the error if there is one."""
    (folder / file).write_text(text, encoding="utf-8")
    done = _execute(["coqc", file], folder)
    return parse_error(done.stdout) if done.returncode else None


def _execute(command: Sequence[str], folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """A command of Coq after its end, with all that it printed in `stdout`."""
    program, *arguments = command
    if shutil.which(program) is None:
        raise Unavailable(f"{program} is not installed")
    try:
        return subprocess.run(
            [program, *_OPTIONS, *arguments],
            cwd=folder,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{program} takes more than {_SECONDS} s") from error


def parse_error(printed: str) -> CoqError:
    """The error that `coqc` printed."""
    place = re.search(r'^File "[^"]*", line (\d+), characters', printed, re.MULTILINE)
    message = _message(printed[place.end() :]) if place else " ".join(printed.split())[:300]
    return CoqError(int(place[1]) if place else 0, message)


def _message(printed: str) -> str:
    """The first error's message on one line."""
    return " ".join(printed.partition("Error:")[2].partition("\n\n")[0].split())[:300]


@cache
def _version() -> str:
    done = subprocess.run(["coqc", "--print-version"], capture_output=True, encoding="utf-8", check=True)
    return done.stdout.split()[0]
