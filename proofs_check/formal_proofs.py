"""Formal proofs of claims: theorems in Coq, accepted by its kernel (`formal/proofs.toml`, `docs/formal.md`).

A claim may have one besides its check. It counts if Coq accepts the file, the theorem rests on no axiom, and its proof
fails for every recorded change of the statement.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .coq import Alteration, Unavailable, examine
from .ledger import FormalFinding

FOLDER = Path(__file__).with_name("formal")
PROOFS = FOLDER / "proofs.toml"
CLOSED = "Closed under the global context"


@dataclass(frozen=True)
class FormalProof:
    """A theorem in Coq that states a claim.

    Attributes:
        claim: id of the claim.
        file: file in the folder `formal`.
        mutations: text of the statement and its replacement, by description of the change.
    """

    claim: str
    file: str
    mutations: Mapping[str, tuple[str, str]]

    @property
    def theorem(self) -> str:
        """Name of the theorem: the claim's id with underscores."""
        return self.claim.replace(".", "_")

    @property
    def place(self) -> str:
        """The theorem and its file, for readers."""
        return f"theorem {self.theorem} in proofs_check/formal/{self.file}"


@cache
def read_proofs(path: Path = PROOFS) -> dict[str, FormalProof]:
    """The formal proofs by id of the claim, in the order of the file."""
    proofs: dict[str, FormalProof] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["proof"]:
        mutations = {name: (old, new) for name, (old, new) in entry["mutations"].items()}
        if entry["claim"] in proofs or not mutations:
            raise ValueError(f"{path.name} has {entry['claim']} twice, or without a mutation that must fail")
        proofs[entry["claim"]] = FormalProof(entry["claim"], entry["file"], mutations)
    return proofs


def accepted(proof: FormalProof) -> FormalFinding:
    """The finding that a proof is correct and that it fails for every altered statement."""
    says = f"Coq accepts the proof and prints {CLOSED!r} for its assumptions"
    return FormalFinding(proof.place, True, says, tuple(proof.mutations))


def prove(claim: str) -> FormalFinding | None:
    """Result of checking a claim's formal proof; None if it has none."""
    proof = read_proofs().get(claim)
    if proof is None:
        return None
    names = tuple(proof.mutations)
    try:
        assumptions, failed = _of_file(proof.file)[claim]
        if assumptions != CLOSED:
            return FormalFinding(proof.place, False, " ".join(assumptions.split()), names)
        survivors = tuple(name for name, fails in zip(names, failed, strict=True) if not fails)
    except Unavailable as reason:
        return FormalFinding(proof.place, None, str(reason), names)
    except ValueError as error:
        return FormalFinding(proof.place, False, str(error), names)
    finding = accepted(proof)
    return FormalFinding(finding.place, True, finding.says, names, survivors)


@cache
def _of_file(file: str) -> dict[str, tuple[str, list[bool]]]:
    """Assumptions of every proof in a file, and whether it fails for each of its mutations: Coq is started once for all."""
    source, proofs = FOLDER / file, [proof for proof in read_proofs().values() if proof.file == file]
    alterations = [Alteration(proof.theorem, *change) for proof in proofs for change in proof.mutations.values()]
    found = examine(source, [proof.theorem for proof in proofs], alterations)
    failed = iter(found.failed)
    return {
        proof.claim: (assumed, [next(failed) for _ in proof.mutations])
        for proof, assumed in zip(proofs, found.assumptions, strict=True)
    }
