"""`crossfeed predict`: prediction error of every entity on every task, over α and β."""

from dataclasses import dataclass, field
from pathlib import Path

from .arguments import EcosystemFile
from .folder import output_folder
from .look import FolderLookOptions


@dataclass(frozen=True)
class PredictCommand:
    """Draw the exact prediction error (MSPE) of every entity on every task over α and β, and write it as CSV.

    It is shown relative to the best that each entity reaches without synthetic data.
    """

    eco: EcosystemFile
    """Ecosystem to compute with."""
    out: Path
    """Folder to write to; figures of an earlier run in it are replaced."""
    quick: bool = False
    """Use a coarser grid."""
    look: FolderLookOptions = field(default_factory=FolderLookOptions)

    def check(self) -> None:
        """Refuse an ecosystem that cannot be read."""
        from crossfeed.formulas.ecosystem_file import read_ecosystem

        read_ecosystem(self.eco)

    def run(self) -> None:
        """Compute the errors, write the figure, and print its conclusion."""
        from ..figures.real_data import Settings, draw_ecosystem
        from ..figures.report import Request
        from ..figures.settings import read_settings
        from ..theory import load_ecosystem

        ecosystem = load_ecosystem(self.eco)
        points = read_settings(Settings, self.quick).points
        with self.look.looking_in_folder(), output_folder(self.out) as folder:
            report = draw_ecosystem(Request(folder), ecosystem, "predicted_error", str(self.eco), points)
        print(report.says)
        print(report.setting)
        print("\n".join(str(self.out / name) for name in report.files))
