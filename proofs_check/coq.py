"""Coq files: read by `coqtop`, which also tries their proofs on altered statements; what they require is compiled by `coqc`."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, NoReturn

TESTED = "8.16"
"""Version of Coq that the files are written for, with MathComp 1.15."""

_LIBRARY = "From mathcomp Require Import all_ssreflect all_algebra.\n"
_OPTIONS = ("-q", "-w", "none", "-Q", ".", "Crossfeed")
_SECONDS = 480  # for a file with all its alterations
_OPEN = {"proof": "Show.\n", "block": "End end_of_file.\n"}  # errors where no proof, section or module is open


class Unavailable(Exception):
    """Proofs cannot be checked on this machine."""


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


class Examination(NamedTuple):
    """What Coq says of the theorems of a file.

    Attributes:
        assumptions: what it prints for `Print Assumptions` of every theorem asked for.
        failed: whether the proof fails for every alteration.
    """

    assumptions: list[str]
    failed: list[bool]


def examine(source: Path, names: Sequence[str], alterations: Sequence[Alteration] = ()) -> Examination:
    """Assumptions of theorems, and whether the proofs of some fail after changes in their statements.

    All in one session that reads the whole file and goes on after errors, with the files that it requires compiled before.
    An altered statement is tried just before its theorem. A proof that succeeds without the step that fails counts as one that
    does not fail.

    Args:
        source: the file.
        names: theorems whose assumptions are asked for.
        alterations: the changes, each to the file as it is; the statements must remain well-formed.

    Raises:
        Unavailable: Coq or MathComp is missing, takes too long, or another version does not accept the file.
        ValueError: the version that the file is written for does not accept it, a theorem is missing, an altered statement is
            not well-formed, or `old` does not occur exactly once.
    """
    _compile_required(source)
    for name in names:
        find_theorem(source, name)
    parts = _parts(source, alterations)
    queries = {f"of_{name}": f"Print Assumptions {name}.\n" for name in names}
    answers = _session(source, parts | _OPEN | queries)
    for part in parts:
        if part.startswith("file_") and "Error:" in answers[part]:
            _refuse(source, _message(answers[part]))
    if "Error:" not in answers["proof"]:
        _refuse(source, "a proof is open at its end")
    if "There is nothing to end" not in answers["block"]:
        _refuse(source, f"a section or module is open at its end: {_message(answers['block'])}")
    for number, change in enumerate(alterations):
        if "Error:" in (said := answers[f"statement_{number}"]):
            raise ValueError(f"the altered statement of {change.theorem} is not well-formed: {_message(said)}")
    failed = ["Error:" in answers[f"outcome_{number}"] for number in range(len(alterations))]
    return Examination([answers[query] for query in queries], failed)


def _parts(source: Path, alterations: Sequence[Alteration]) -> dict[str, str]:
    """Text of a file in parts, `file_0` and so on, with altered statements, their proofs and questions on them in between."""
    theorems = {change.theorem: find_theorem(source, change.theorem) for change in alterations}
    parts, text = {}, source.read_text(encoding="utf-8")
    read = 0
    for place, (name, theorem) in enumerate(sorted(theorems.items(), key=lambda item: len(item[1].before))):
        parts[f"file_{place}"] = theorem.before[read:]
        read = len(theorem.before)
        for number, change in enumerate(alterations):
            if change.theorem == name:
                parts[f"statement_{number}"] = _altered(theorem, change, f"altered_{number}_{name}") + "Show.\n"
                parts[f"proof_{number}"] = f"{theorem.proof}\nAbort All.\n"
                parts[f"outcome_{number}"] = f"Check altered_{number}_{name}.\n"
    return parts | {f"file_{len(theorems)}": text[read:]}


def _altered(theorem: Theorem, change: Alteration, name: str) -> str:
    if theorem.statement.count(change.old) != 1:
        raise ValueError(f"{change.old!r} does not occur exactly once in the statement of {change.theorem}")
    return re.sub(rf"\b{change.theorem}\b", name, theorem.statement.replace(change.old, change.new), count=1)


def _session(source: Path, parts: Mapping[str, str]) -> dict[str, str]:
    """What Coq prints for each part of a file's text, when it goes on after errors."""
    text = "Set Silent.\n" + "".join(f"{part}Check end_of_{name}.\n" for name, part in parts.items())
    printed = _execute(["coqtop", "-quiet", "-color", "no"], _workspace(), text).stdout
    answers = {}
    for name in parts:  # nothing is called `end_of_…`, so Coq complains
        said, found, printed = printed.partition(f"> Check end_of_{name}.\n")
        if not found:
            _refuse(source, f"coqtop does not find the end of {name} after {' '.join(said.split())[-200:]!r}")
        printed = printed.partition("Error:")[2].partition("\n\n")[2]
        said = said.rpartition("Toplevel input")[0]
        answers[name] = re.sub(r"^(?:\w+ < )+", "", said, flags=re.MULTILINE).strip()
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


def _compile_required(source: Path) -> None:
    """Compile the files that a file requires, after those that they require."""
    text = source.read_text(encoding="utf-8")
    for required in re.findall(r"^From Crossfeed Require Import ([^.]*)\.", text, re.MULTILINE):
        for name in required.split():
            _compile(source.with_name(f"{name}.v"))


@cache
def _compile(source: Path) -> None:
    _compile_required(source)
    error = _run(_workspace(), source.name, source.read_text(encoding="utf-8"))
    if error:
        _refuse(source, f"line {error.line}: {error.message}")


def _refuse(source: Path, error: str) -> NoReturn:
    """Refuse a file with an error, which is not the file's own where Coq has another version."""
    if not _version().startswith(TESTED):
        raise Unavailable(f"it could not be checked with Coq {_version()}: the files are written for {TESTED}")
    raise ValueError(f"{source.name} is not accepted: {error}")


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
