"""`crossfeed ecosystem`: make an ecosystem file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .arguments import EcosystemFile
from .inputs import check_readable, checked_count, checked_seed

if TYPE_CHECKING:
    from ..theory import Ecosystem

_MOST_NUMBERS = 10**8  # a gigabyte for each kind of data


@dataclass(frozen=True)
class RandomEcosystem:
    """Ecosystem with Gaussian features of given rank, as in Figures 2 and 4, and a Gaussian θ."""

    out: EcosystemFile
    """File to write, which must not exist yet."""
    entities: int = 4
    """Number of entities K."""
    dimension: int = 15
    """Number of features d."""
    rank: int = 5
    """Rank of every private feature matrix."""
    rows: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: the rank)")] = None
    """Number of private samples per entity."""
    public_rows: Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="(default: the dimension)")] = (
        None
    )
    """Number of public samples."""
    noise_variance: float = 1.0
    """Variance σ² of the label noise."""
    seed: int = 0
    """Seed of the random numbers."""

    def check(self) -> None:
        """Refuse to overwrite a file."""
        _check_new(self.out)

    def run(self) -> None:
        """Draw the ecosystem and write it."""
        from crossfeed.random_keys import seeded_key

        from ..theory import random_gaussian

        numbers = self.entities * max(self.dimension, self.rows or 0) * self.dimension
        checked_count("the product of entities, rows and dimension", numbers, _MOST_NUMBERS)
        ecosystem = random_gaussian(
            seeded_key(checked_seed(self.seed)),
            self.entities,
            self.dimension,
            self.rank,
            self.rows,
            self.public_rows,
            self.noise_variance,
        )
        _write(ecosystem, self.out)


@dataclass(frozen=True)
class DatasetEcosystem:
    """Ecosystem from a data set of scikit-learn: entities own different slices, and the remaining rows are public."""

    out: EcosystemFile
    """File to write, which must not exist yet."""
    name: str = "diabetes"
    """Data set: breast_cancer, diabetes, digits, iris or wine."""
    entities: int = 3
    """Number of entities K."""

    def check(self) -> None:
        """Refuse to overwrite a file."""
        _check_new(self.out)

    def run(self) -> None:
        """Make the ecosystem and write it."""
        from ..sim import bundled_ecosystem

        _write(bundled_ecosystem(self.name, self.entities), self.out)


@dataclass(frozen=True)
class FileEcosystem:
    """Ecosystem from your own text (.txt, .jsonl) or tables (.csv), as files or folders.

    Text becomes TF-IDF features. Tables hold numbers only, and give θ if a target column is named.
    """

    out: EcosystemFile
    """File to write, which must not exist yet."""
    private: tyro.conf.UseAppendAction[list[Path]] = field(default_factory=list)
    """File or folder of one entity; give the option once per entity."""
    public: tyro.conf.UseAppendAction[list[Path]] = field(default_factory=list)
    """Public file or folder; repeat the option for more."""
    dimension: int = 32
    """Number of features d made from text."""
    target: Annotated[str | None, tyro.conf.arg(metavar="COLUMN", help_behavior_hint="(default: none)")] = None
    """Column of the tables that holds the label."""

    def check(self) -> None:
        """Refuse to overwrite a file, and files that cannot be read."""
        _check_new(self.out)
        for path in (*self.private, *self.public):
            if not path.is_dir():
                check_readable(path)

    def run(self) -> None:
        """Read the files, make the ecosystem and write it."""
        from ..sim import ecosystem_from_files

        _write(ecosystem_from_files(self.private, self.public, self.dimension, self.target), self.out)


def _check_new(path: Path) -> None:
    """Refuse, before any work, to overwrite a file."""
    from crossfeed.errors import InvalidInput

    if path.exists():
        raise InvalidInput(f"{path} exists already: choose another name")


def _write(ecosystem: Ecosystem, path: Path) -> None:
    from ..theory import save_ecosystem

    save_ecosystem(ecosystem, path)
    print(f"{path}: {ecosystem.entities} entities, {ecosystem.dimension} features")
