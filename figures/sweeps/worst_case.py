"""Growth in the worst case, up to the bound of Theorem U."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from crossfeed.errors import InvalidInput

from ...theory import Weights, spectral_radius, worst_case
from ..report import Report, Request, save
from ..settings import Points, Positive, Within
from ..style import SERIES, color, grid_of_axes, line, styled

_NUMBERS = {2: "two", 3: "three", 5: "five", 9: "nine"}


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; worst_case.toml says what they are and holds the shipped ones."""

    entities: Annotated[tuple[int, ...], Within(2, 200, longest=SERIES)]
    strength_from: Positive
    strength_to: Positive
    points: Points

    def __post_init__(self) -> None:
        if self.strength_from >= self.strength_to:
            raise InvalidInput(
                f"strength_from is {self.strength_from:g}, but must be below strength_to, {self.strength_to:g}"
            )

    @property
    def strengths(self) -> Float[np.ndarray, " strength"]:
        """Values of ℓ."""
        return np.geomspace(self.strength_from, self.strength_to, self.points)


def draw(request: Request, settings: Settings) -> Report:
    """Write ρ(Q) against the strength of private data in the family that attains the bound of Theorem U."""
    few, many = settings.entities[0], settings.entities[-1]
    radii = np.stack([_radii(entities, settings.strengths) for entities in settings.entities])
    report = Report(
        "worst_case",
        "Growth in the worst case, up to the bound of Theorem U",
        "Entities that publish labels for inputs unlike those they know diverge although each keeps its real data, by factors up "
        f"to (1+√m)/2 per generation: at ℓ = {settings.strength_to:g}, ρ(Q) is {radii[0, -1]:.4f} for {_NUMBERS.get(few, few)} "
        f"models and {radii[-1, -1]:.4f} for {_NUMBERS.get(many, many)}.",
        "The worst-case family of docs/theory.md, section 3, α = 1/2, β = 1; thin lines: bounds.",
        {str(k): float(r[-1]) for k, r in zip(settings.entities, radii, strict=True)},
    )
    columns = {
        "entities": np.array(settings.entities)[:, None],
        "strength": settings.strengths,
        "spectral_radius": radii,
        "bound": (1 + np.sqrt(settings.entities))[:, None] / 2,
    }
    return save(request, report, _figure(radii, settings), columns)


def _radii(entities: int, strengths: Float[np.ndarray, " strength"]) -> Float[np.ndarray, " strength"]:
    """ρ(Q) of the worst-case family at all strengths."""

    def radius(strength: Float[Array, ""]) -> Float[Array, ""]:
        return spectral_radius(worst_case(entities, strength), Weights(0.5, 1.0))

    return np.asarray(jax.jit(jax.vmap(radius))(jnp.asarray(strengths)))


def _figure(radii: Float[np.ndarray, "size strength"], settings: Settings) -> Figure:
    """One line per K, with its bound."""
    with styled():
        figure, ((panel,),) = grid_of_axes(1, 1, (5.5, 3.6))
        for number, (entities, radius) in enumerate(zip(settings.entities, radii, strict=True)):
            bound = (1 + np.sqrt(entities)) / 2
            line(panel, number, settings.strengths, radius, f"K = d = {entities}, bound {bound:.3f}")
            panel.axhline(bound, color=color(number), linewidth=0.6)
        panel.axhline(1, color="#888888", linewidth=0.8)
        panel.set(
            xscale="log",
            xlabel="ℓ = āL/α, strength of private data",
            ylabel="spectral radius ρ(Q)",
            ylim=(0.95, 1.05 * (1 + np.sqrt(max(settings.entities))) / 2),
        )
        figure.legend(loc="outside upper center", ncols=2)
    return figure
