"""`crossfeed ecosystem`: make an ecosystem file."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from .arguments import checked_count, checked_seed

_MOST_NUMBERS = 10**8  # a gigabyte for each kind of data


@dataclass(frozen=True)
class RandomEcosystem:
    """Gaussian features of given rank, as in Figures 2 and 4; θ is drawn too."""

    out: tyro.conf.Positional[Path]
    """File to write (.npz), one that does not exist yet."""
    entities: int = 4
    """K."""
    dimension: int = 15
    """d, the number of features."""
    rank: int = 5
    """Rank of every private feature matrix."""
    rows: int | None = None
    """Private samples an entity; as many as the rank if not given."""
    public_rows: int | None = None
    """Public samples; as many as the dimension if not given."""
    noise_variance: float = 1.0
    """σ² of one label."""
    seed: int = 0
    """Of the random numbers."""

    def run(self) -> None:
        """Draw and write."""
        import jax

        from ..theory import random_gaussian

        _check_new(self.out)
        numbers = self.entities * max(self.dimension, self.rows or 0) * self.dimension
        checked_count("the product of entities, rows and dimension", numbers, _MOST_NUMBERS)
        ecosystem = random_gaussian(
            jax.random.key(checked_seed(self.seed)),
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
    """Real features that ship with scikit-learn: entities own different slices, the rest is public."""

    out: tyro.conf.Positional[Path]
    """File to write (.npz), one that does not exist yet."""
    name: str = "diabetes"
    """breast_cancer, diabetes, digits, iris or wine."""
    entities: int = 3
    """K."""

    def run(self) -> None:
        """Build and write."""
        from ..sim import bundled_ecosystem

        _check_new(self.out)
        _write(bundled_ecosystem(self.name, self.entities), self.out)


@dataclass(frozen=True)
class FileEcosystem:
    """Your own files: text (.txt, .jsonl) or tables (.csv), or folders of these.

    Text becomes TF-IDF features; tables hold numbers only, and give θ if a target column is named.
    """

    out: tyro.conf.Positional[Path]
    """File to write (.npz), one that does not exist yet."""
    private: tyro.conf.UseAppendAction[list[Path]] = field(default_factory=list)
    """What one entity owns: repeat the option, once an entity."""
    public: tyro.conf.UseAppendAction[list[Path]] = field(default_factory=list)
    """Public data: repeat the option to add more."""
    dimension: int = 32
    """d, the number of text features."""
    target: str | None = None
    """Column of the tables that holds the label."""

    def run(self) -> None:
        """Read, build and write."""
        from ..sim import ecosystem_from_files

        _check_new(self.out)
        _write(ecosystem_from_files(self.private, self.public, self.dimension, self.target), self.out)


def _check_new(path: Path) -> None:
    """See, before any work, that nothing would be overwritten."""
    from crossfeed.errors import InvalidInput

    if path.exists():
        raise InvalidInput(f"{path} exists already: choose another name")


def _write(ecosystem, path: Path) -> None:
    from ..theory import save_ecosystem

    save_ecosystem(ecosystem, path)
    print(f"{path}: {ecosystem.entities} entities, {ecosystem.dimension} features")
