"""Sizes of the gallery's sweeps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Numbers of random ecosystems, and of values along each axis, of the gallery's sweeps.

    Attributes:
        plane_draws: random ecosystems of the phase diagrams.
        plane_points: values of α, and of β, of the phase diagrams.
        trajectory_draws: random ecosystems of the trajectories.
        region_draws: random ecosystems of the regions of stability.
        region_points: values of β, and of λ, of the regions of stability.
        volumes: values of the volume c.
    """

    plane_draws: int
    plane_points: int
    trajectory_draws: int
    region_draws: int
    region_points: int
    volumes: int


FULL = Sizes(
    plane_draws=10,
    plane_points=61,
    trajectory_draws=20,
    region_draws=40,
    region_points=41,
    volumes=33,
)
QUICK = Sizes(
    plane_draws=2,
    plane_points=21,
    trajectory_draws=3,
    region_draws=20,
    region_points=21,
    volumes=17,
)
