"""α-β phase diagrams of ρ(Q), efficiency, homogenization and transfer for many K, and the best weights against K."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int
from matplotlib.figure import Figure

from ...decide import MeanEfficiency, best_weights
from ...theory import Dataset, Ecosystem
from ..report import Report, Request, save, save_table
from ..settings import Dimension, Draws, Points, Seed, Within, check_rank
from ..style import MARKERS, color, grid_of_axes, line, points, styled
from ..sweep_plot import mean_over_draws, plot_sweep
from .stores import swept

_SPEC = """
[sweep]
quantities = ["spectral_radius", "mean_relative_efficiency", "homogenization", "mean_transfer"]
seed = {seed}
[ecosystem]
draws = {draws}
[axes]
entities = {entities}
dimension = {dimension}
rank = {rank}
alpha = {{ from = 0.01, to = 0.99, points = {points} }}
beta = {{ from = 0.01, to = 0.99, points = {points} }}
"""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Settings:
    """Settings of these figures; phase_diagrams.toml says what they are and holds the shipped ones."""

    seed: Seed
    entities: Annotated[tuple[int, ...], Within(1, 200, longest=12)]
    dimension: Dimension
    rank: Dimension
    draws: Draws
    points: Points

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)


def _data(request: Request, settings: Settings) -> tuple[xr.Dataset, str]:
    """The sweep, and its setting in words."""
    data = swept(request, "phase_diagrams", _SPEC.format(**vars(settings) | {"entities": list(settings.entities)}))
    return data, (
        f"private features of rank {settings.rank} in d = {settings.dimension}, S = S~, {settings.draws} random ecosystems, "
        f"{settings.points} × {settings.points} grid; exact limit"
    )


def draw(request: Request, settings: Settings, variable: str) -> Report:
    """Write heat maps of one variable for every K, averaged over random ecosystems."""
    data, setting = _data(request, settings)
    figure = plot_sweep(data, variable, {}, "alpha", "beta")
    mean = mean_over_draws(data[variable])
    report = Report(
        f"phase_{variable}",
        f"Phase diagrams: {data[variable].attrs['long_name']}",
        _extremes(mean, data[variable].attrs["long_name"]),
        setting,
        {"largest": float(mean.where(np.isfinite(mean)).max()), "smallest": float(mean.where(np.isfinite(mean)).min())},
    )
    columns = {
        "entities": data.entities.values[:, None, None],
        "beta": data.beta.values[:, None],
        "alpha": data.alpha.values,
        variable: mean.transpose("entities", "beta", "alpha").values,
    }
    return save(request, report, figure, columns)


def _extremes(mean: xr.DataArray, name: str) -> str:
    """Highest and lowest value of a variable and where they are, for the fewest entities with which it varies and the most."""
    finite = mean.where(np.isfinite(mean)).stack(weights=("beta", "alpha"))
    varies = finite.max("weights") - finite.min("weights") > _ROUNDING
    finite = finite[varies.values]
    parts = []
    for of_one_size in (finite.isel(entities=0), finite.isel(entities=-1)):
        ends = [of_one_size[int(find("weights"))] for find in (of_one_size.argmax, of_one_size.argmin)]
        told = [f"{float(end):.3g} at α = {float(end.alpha):.2g}, β = {float(end.beta):.2g}" for end in ends]
        parts.append(f"for K = {int(of_one_size.entities)} the highest is {told[0]} and the lowest {told[1]}")
    return f"{name[0].upper()}{name[1:]}: {'; '.join(parts)}."


def draw_optimum(request: Request, settings: Settings) -> Report:
    """Write the best α, the best β and the efficiency there against K: random ecosystems, and the symmetric closed form."""
    data, setting = _data(request, settings)
    found = _optima(data)
    alpha, efficiency = (found[name].mean("draw") for name in ("alpha", "efficiency"))
    several = [count for count in settings.entities if count > 1] or settings.entities  # a lone model's best α is 0
    few, many = min(several), max(several)
    first, last = (float(alpha.sel(entities=k)) for k in (few, many))
    most, least = (float(efficiency.sel(entities=k)) for k in (few, many))
    why = ": the more entities share the pool, the less of what all real data allows does each reach" * (most > least)
    report = Report(
        "optimum",
        "Best constant weights against K",
        f"On average the best α is {first:.2f} at K = {few} and {last:.2f} at K = {many}, where the relative efficiency is "
        f"{most:.2f} and {least:.2f}{why}.",
        setting + "; bars: two standard errors over ecosystems; resolution: that of the grid.",
        {f"best_alpha_at_{few}": first, f"best_alpha_at_{many}": last},
    )
    columns = {"entities": data.entities.values[:, None], "draw": data.draw.values}
    columns |= {name: values.transpose("entities", "draw").values for name, values in found.items()}
    fine = np.unique(np.geomspace(1, max(2, *settings.entities), 40).astype(int))
    closed = dict(zip(found, symmetric_optima(fine).T, strict=True))
    save_table(request.folder / "optimum_closed_form.csv", {"entities": fine, **closed})
    report.files.append("optimum_closed_form.csv")
    return save(request, report, _optimum_figure(found, fine, closed), columns)


def _optima(data: xr.Dataset) -> dict[str, xr.DataArray]:
    """Best α and β, and the mean relative efficiency there, of every random ecosystem."""
    efficiency = data.mean_relative_efficiency.stack(weights=("beta", "alpha"))
    best = efficiency.isel(weights=efficiency.argmax("weights"))
    return {"alpha": best.alpha, "beta": best.beta, "efficiency": best}


def _optimum_figure(
    found: dict[str, xr.DataArray], fine: Int[np.ndarray, " size"], closed: dict[str, Float[np.ndarray, " size"]]
) -> Figure:
    """One panel per quantity: means over random ecosystems, and the closed form."""
    counts = found["efficiency"].entities.values
    labels = {"alpha": "best α", "beta": "best β", "efficiency": "relative efficiency there"}
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (9.5, 3))
        for panel, (name, values) in zip(axes, found.items(), strict=True):
            line(panel, 0, fine, closed[name], "all entities alike (closed form)")
            error = values.std("draw", ddof=1) / np.sqrt(values.sizes["draw"])
            points(panel, 1, counts, values.mean("draw"), error)
            panel.set(xlabel="number of entities K", ylabel=labels[name], xscale="log", ylim=(0, 1.02))
            panel.set_xticks(counts, [str(k) for k in counts])
            panel.minorticks_off()
        label = "random ecosystems, mean ± 2 SE"
        axes[0].plot([], [], MARKERS[1], color=color(1), markerfacecolor="white", label=label)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def symmetric_optima(entities: Int[np.ndarray, " size"]) -> Float[np.ndarray, "size 3"]:
    """(α, β, relative efficiency) at the best weights of symmetric ecosystems, one feature each and room for the largest."""
    room, public = jnp.arange(entities.max(), dtype=float), Dataset(jnp.ones((1, 1)))

    def best(count: Float[Array, ""]) -> Float[Array, " 3"]:
        present = room < count
        data = Dataset(present.astype(float)[:, None, None])  # what is absent has no data
        found = best_weights(Ecosystem(private=data, public=public, synthetic=data, present=present), MeanEfficiency())
        return jnp.stack([found.weights.alpha, found.weights.beta, -found.value])

    return np.asarray(jax.jit(jax.vmap(best))(jnp.asarray(entities, float)))
