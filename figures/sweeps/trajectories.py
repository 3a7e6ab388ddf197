"""MSE over a hundred generations, for several K."""

from dataclasses import dataclass
from typing import Annotated

import xarray as xr
from matplotlib.figure import Figure

from ..report import Report, Request, save
from ..settings import Dimension, Draws, Generations, Seed, Weight, WeightSeries, Within, check_rank
from ..style import grid_of_panels, line, name_axes, plain_log_axis, styled
from .stores import swept

_SPEC = """
[sweep]
quantities = ["mean_mse_trajectory"]
generations = {generations}
seed = {seed}
[ecosystem]
draws = {draws}
[axes]
entities = {entities}
dimension = {dimension}
rank = {rank}
alpha = {alpha}
beta = {beta}
"""
_TOLD = 0.9  # α that is told, or the nearest one


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; trajectories.toml says what they are and holds the shipped ones."""

    seed: Seed
    entities: Annotated[tuple[int, ...], Within(1, 200, longest=12)]
    dimension: Dimension
    rank: Dimension
    alpha: WeightSeries
    beta: Weight
    generations: Generations
    draws: Draws

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)


def draw(request: Request, settings: Settings) -> Report:
    """Write the mean MSE by generation, averaged over random ecosystems."""
    lists = {name: list(getattr(settings, name)) for name in ("entities", "alpha")}
    data = swept(request, "trajectories", _SPEC.format(**vars(settings) | lists))
    error = data.mean_mse_trajectory.mean("draw")
    ratio = (error.isel(generation=-1) / error.isel(generation=0)).sel(alpha=_TOLD, method="nearest")
    few, many = min(settings.entities), max(settings.entities)
    first, last = (float(ratio.sel(entities=k)) for k in (few, many))
    after = "a hundred" if settings.generations == 100 else str(settings.generations)
    who = "a single model ends" if few == 1 else f"{few} models that share a pool end"
    others = f"{many} models that share a pool with {last:.2f} times theirs" if many > few else ""
    report = Report(
        "mse_to_100",
        f"Mean squared error over {after} generations",
        f"At α = {float(ratio.alpha):g}{',' * (few > 1)} {who} with {first:.2f} times {'its' if few == 1 else 'their'} first error"
        f"{', and ' * bool(others)}{others}.",
        f"Private features of rank {settings.rank} in d = {settings.dimension}, S = S~, β = {settings.beta}, mean of "
        f"{settings.draws} random ecosystems (seed {settings.seed}); exact.",
        {"error_ratio_of_fewest": first, "error_ratio_of_most": last},
    )
    columns = {
        "entities": data.entities.values[:, None, None],
        "alpha": data.alpha.values[:, None],
        "generation": data.generation.values,
        "mean_mse": error.transpose("entities", "alpha", "generation").values,
    }
    return save(request, report, _figure(error), columns)


def _figure(error: xr.DataArray) -> Figure:
    """One panel per K, with one line per α."""
    with styled():
        figure, axes = grid_of_panels(error.sizes["entities"], 2.375, 2.5)
        for panel, entities in zip(axes, error.entities.values, strict=True):
            for number, alpha in enumerate(error.alpha.values):
                line(panel, number, error.generation, error.sel(entities=entities, alpha=alpha), f"α = {alpha}")
            plain_log_axis(panel)
            panel.set(title=f"K = {entities}")
        name_axes(axes, "generation", "mean MSE (units of σ²)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=error.sizes["alpha"])
    return figure
