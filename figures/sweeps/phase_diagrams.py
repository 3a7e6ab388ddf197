"""α-β phase diagrams of ρ(Q), efficiency, homogenization and transfer for many K, and the best weights against K."""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from crossfeed.random_keys import pinned_generator

from ...decide import MeanEfficiency, best_weights
from ...sim.sweep import parse_spec
from ...sim.sweep.families import make_family, sweep_keys
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
_SETTING = "private features of rank 5 in d = 15, S = S~, {} random ecosystems"
_ROUNDING = 1e-9


def _spec(request: Request, sizes: Sizes) -> str:
    return _SPEC.format(seed=request.seed, draws=sizes.plane_draws, points=sizes.plane_points)


def draw(request: Request, sizes: Sizes, variable: str) -> Report:
    """Write heat maps of one variable for every K, averaged over random ecosystems."""
    data, count = swept(request, "phase_diagrams", _spec(request, sizes)), sizes.plane_points
    figure = plot_sweep(data, variable, {}, "alpha", "beta")
    mean = mean_over_draws(data[variable])
    report = Report(
        f"phase_{variable}",
        f"Phase diagrams: {data[variable].attrs['long_name']}",
        _extremes(mean, data[variable].attrs["long_name"]),
        f"{_SETTING.format(sizes.plane_draws)}, {count} × {count} grid; exact limit",
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
    found = _random_optima(_spec(request, sizes))
    alpha, efficiency = found.alpha.mean("draw"), found.efficiency.mean("draw")
    first, last = (float(alpha.sel(entities=k)) for k in (2, 50))
    most, least = (float(efficiency.sel(entities=k)) for k in (2, 50))
    report = Report(
        "optimum",
        "Best constant weights against K",
        f"On average the best α is {first:.2f} at K = 2 and {last:.2f} at K = 50, where the relative efficiency is {most:.2f} and "
        f"{least:.2f}: the more entities share the pool, the less of what all real data allows does each reach.",
        f"{_SETTING.format(sizes.plane_draws)}; best weights of each by gradients through the exact limit; "
        "bars: two standard errors over ecosystems.",
        {"best_alpha_at_2": first, "best_alpha_at_50": last},
    )
    columns = {"entities": found.entities.values[:, None], "draw": found.draw.values}
    columns |= {str(name): values.values for name, values in found.items()}
    return save(request, report, _optimum_figure(found), columns)


def _random_optima(text: str) -> xr.Dataset:
    """Best α and β, and the mean relative efficiency there, of every random ecosystem of the sweep."""
    spec = parse_spec(text, "best weights")
    fixed = {name: spec.values(name)[0] for name in ("rank", "volume", "mixing", "misalignment")}
    counts, draws = spec.values("entities"), spec.values("draw")
    with pinned_generator():
        family = make_family(spec, spec.values("dimension")[0], sweep_keys(spec.seed)[0])

        @jax.jit
        def optimum(entities: Array, draw: Array) -> Float[Array, " 3"]:
            best = best_weights(family(fixed | {"entities": entities, "draw": draw}), MeanEfficiency())
            return jnp.stack([best.weights.alpha, best.weights.beta, -best.value])

        found = np.array([[optimum(count, draw) for draw in draws] for count in counts])
    axes = {"entities": list(counts), "draw": list(draws)}
    names = ("alpha", "beta", "efficiency")
    return xr.Dataset({name: (tuple(axes), found[..., at]) for at, name in enumerate(names)}, axes)


def _optimum_figure(found: xr.Dataset) -> Figure:
    """One panel per quantity: means over random ecosystems, and the closed form."""
    counts = found.entities.values
    fine = np.unique(np.geomspace(1, 50, 40).astype(int))
    closed = symmetric_optima(fine, 1.0)
    labels = {"alpha": "best α", "beta": "best β", "efficiency": "relative efficiency there"}
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (9.5, 3))
        for column, (panel, (name, values)) in enumerate(zip(axes, found.items(), strict=True)):
            line(panel, 0, fine, closed[:, column], "all entities alike (closed form)")
            error = values.std("draw", ddof=1) / np.sqrt(values.sizes["draw"])
            points(panel, 1, counts, values.mean("draw"), error)
            panel.set(xlabel="number of entities K", ylabel=labels[str(name)], xscale="log", ylim=(0, 1.02))
            panel.set_xticks(counts, [str(k) for k in counts])
            panel.minorticks_off()
        axes[0].plot([], [], "s", color="#2f6fb0", markerfacecolor="white", label="random ecosystems, mean ± 2 SE")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def symmetric_optima(entities: ArrayLike, volume: ArrayLike) -> Float[np.ndarray, "... 3"]:
    """(α, β, relative efficiency) at the best weights of symmetric ecosystems.

    One feature is enough: for any d and any common S, both errors of the ratio are tr(S⁻¹) times a number without d and S.

    Args:
        entities: numbers of entities.
        volume: factors on what is published; broadcasts against `entities`.
    """
    room, public = jnp.arange(np.max(entities), dtype=float), Dataset(jnp.ones((1, 1)))

    def best(count: Float[Array, ""], volume: Float[Array, ""]) -> Float[Array, " 3"]:
        present = room < count
        grams = present.astype(float)[:, None, None]  # what is absent has no data
        data, published = Dataset(grams), Dataset(volume * grams)
        ecosystem = Ecosystem(private=data, public=public, synthetic=published, present=present)
        found = best_weights(ecosystem, MeanEfficiency())
        return jnp.stack([found.weights.alpha, found.weights.beta, -found.value])

    counts, volumes = np.broadcast_arrays(np.asarray(entities, float), np.asarray(volume, float))
    found = jax.jit(jax.vmap(best))(jnp.asarray(counts.ravel()), jnp.asarray(volumes.ravel()))
    return np.asarray(found).reshape(*counts.shape, 3)
