"""Figures made from sweeps: `make figures`."""

from .gallery import GALLERY as GALLERY
from .gallery import draw_gallery as draw_gallery
