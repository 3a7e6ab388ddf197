"""α-β phase diagrams of ρ(Q), efficiency, homogenization and transfer for many K, and the best weights against K."""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int
from matplotlib.figure import Figure

from ...decide import MeanEfficiency, best_weights
from ...theory import Dataset, Ecosystem
from ..report import Report, Request, save
from ..style import grid_of_axes, line, points, styled
from ..sweep_plot import mean_over_draws, plot_sweep
from .sizes import Sizes
from .stores import swept

_SPEC = """
[sweep]
quantities = ["spectral_radius", "mean_relative_efficiency", "homogenization", "mean_transfer"]
seed = {seed}
[ecosystem]
draws = {draws}
[axes]
entities = [1, 2, 4, 10, 20, 50]
alpha = {{ from = 0.01, to = 0.99, points = {points} }}
beta = {{ from = 0.01, to = 0.99, points = {points} }}
"""
_SETTING = "private features of rank 5 in d = 15, S = S~, {} random ecosystems, {} × {} grid; exact limit"
_ROUNDING = 1e-9


def _data(request: Request, sizes: Sizes) -> tuple[xr.Dataset, str]:
    """The sweep, and its setting in words."""
    draws, count = sizes.plane_draws, sizes.plane_points
    data = swept(request, "phase_diagrams", _SPEC.format(seed=request.seed, draws=draws, points=count))
    return data, _SETTING.format(draws, count, count)


def draw(request: Request, sizes: Sizes, variable: str) -> Report:
    """Write heat maps of one variable for every K, averaged over random ecosystems."""
    data, setting = _data(request, sizes)
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


def draw_optimum(request: Request, sizes: Sizes) -> Report:
    """Write the best α, the best β and the efficiency there against K: random ecosystems, and the symmetric closed form."""
    data, setting = _data(request, sizes)
    found = _optima(data)
    alpha, efficiency = (found[name].mean("draw") for name in ("alpha", "efficiency"))
    first, last = (float(alpha.sel(entities=k)) for k in (2, 50))
    most, least = (float(efficiency.sel(entities=k)) for k in (2, 50))
    report = Report(
        "optimum",
        "Best constant weights against K",
        f"On average the best α is {first:.2f} at K = 2 and {last:.2f} at K = 50, where the relative efficiency is {most:.2f} and "
        f"{least:.2f}: the more entities share the pool, the less of what all real data allows does each reach.",
        setting + "; bars: two standard errors over ecosystems; resolution: that of the grid.",
        {"best_alpha_at_2": first, "best_alpha_at_50": last},
    )
    columns = {"entities": data.entities.values[:, None], "draw": data.draw.values}
    columns |= {name: values.transpose("entities", "draw").values for name, values in found.items()}
    return save(request, report, _optimum_figure(found), columns)


def _optima(data: xr.Dataset) -> dict[str, xr.DataArray]:
    """Best α and β, and the mean relative efficiency there, of every random ecosystem."""
    efficiency = data.mean_relative_efficiency.stack(weights=("beta", "alpha"))
    best = efficiency.isel(weights=efficiency.argmax("weights"))
    return {"alpha": best.alpha, "beta": best.beta, "efficiency": best}


def _optimum_figure(found: dict[str, xr.DataArray]) -> Figure:
    """One panel per quantity: means over random ecosystems, and the closed form."""
    counts = found["efficiency"].entities.values
    fine = np.unique(np.geomspace(1, 50, 40).astype(int))
    closed = symmetric_optima(fine)
    labels = {"alpha": "best α", "beta": "best β", "efficiency": "relative efficiency there"}
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (9.5, 3))
        for column, (panel, (name, values)) in enumerate(zip(axes, found.items(), strict=True)):
            line(panel, 0, fine, closed[:, column], "all entities alike (closed form)")
            error = values.std("draw", ddof=1) / np.sqrt(values.sizes["draw"])
            points(panel, 1, counts, values.mean("draw"), error)
            panel.set(xlabel="number of entities K", ylabel=labels[name], xscale="log", ylim=(0, 1.02))
            panel.set_xticks(counts, [str(k) for k in counts])
            panel.minorticks_off()
        axes[0].plot([], [], "s", color="#2f6fb0", markerfacecolor="white", label="random ecosystems, mean ± 2 SE")
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
