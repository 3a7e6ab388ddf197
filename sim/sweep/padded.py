"""Ecosystems of different size in arrays of one shape."""

import equinox as eqx
from jaxtyping import Array, Bool

from ...theory.ecosystem import Ecosystem


class PaddedEcosystem(eqx.Module):
    """An ecosystem in which entities beyond K hold no data and no share: they change nothing for the others.

    Attributes:
        ecosystem: with room for as many entities as the sweep ever needs.
        present: which entities there are.
    """

    ecosystem: Ecosystem
    present: Bool[Array, " entity"]
