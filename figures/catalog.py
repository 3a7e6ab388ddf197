"""All figures that can be drawn by name."""

from .reproduce import STAGES
from .sweeps import GALLERY

FIGURES = STAGES | GALLERY
"""Figures by the stem of their files: those of the paper's theorems, then those of the gallery."""
