"""`crossfeed predict`: what an ecosystem's entities gain on every task, over α and β."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from .folder import make_folder


@dataclass(frozen=True)
class PredictCommand:
    """Draw the exact MSPE of every entity on every task over α and β, with the numbers as CSV."""

    eco: tyro.conf.Positional[Path]
    """Ecosystem file (.npz)."""
    out: Path
    """Folder to write to."""
    quick: bool = False
    """A coarser grid."""

    def run(self) -> None:
        """Compute, draw and say what the picture says."""
        from ..figures.real_data import draw_ecosystem
        from ..figures.report import Request
        from ..theory import load_ecosystem

        ecosystem = load_ecosystem(self.eco)
        request = Request(make_folder(self.out), self.quick)
        report = draw_ecosystem(request, ecosystem, "predicted_error", str(self.eco))
        print(report.says)
        print(report.setting)
        print("\n".join(str(self.out / name) for name in report.files))
