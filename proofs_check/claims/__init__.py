"""The checks, one module a family of claims; importing this package attaches them all."""

from . import theorem1 as theorem1
