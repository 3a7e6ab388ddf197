"""Ecosystems of different sizes in arrays of one shape."""

import equinox as eqx
from jaxtyping import Array, Bool

from ...theory.ecosystem import Ecosystem


class PaddedEcosystem(eqx.Module):
    """Ecosystem padded with entities that have no data and no share, and so do not affect the others.

    Attributes:
        ecosystem: arrays with room for the largest number of entities of the sweep.
        present: True for the K entities of the ecosystem, False for padding.
    """

    ecosystem: Ecosystem
    present: Bool[Array, " entity"]
