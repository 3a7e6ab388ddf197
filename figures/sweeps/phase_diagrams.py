"""α-β phase diagrams of ρ(Q), efficiency, homogenization and transfer for many K, and the best weights against K."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from crossfeed.random_keys import pinned_generator

from ...decide import MeanEfficiency, best_weights
from ...sim.sweep import parse_spec
from ...sim.sweep.families import make_family
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

    @property
    def spec(self) -> str:
        """The sweep."""
        return _SPEC.format(**vars(self) | {"entities": list(self.entities)})

    @property
    def words(self) -> str:
        """What the ecosystems are."""
        return f"private features of rank {self.rank} in d = {self.dimension}, S = S~, {self.draws} random ecosystems"


def draw(request: Request, settings: Settings, variable: str) -> Report:
    """Write heat maps of one variable for every K, averaged over random ecosystems."""
    data, count = swept(request, "phase_diagrams", settings.spec), settings.points
    figure = plot_sweep(data, variable, {}, "alpha", "beta")
    mean = mean_over_draws(data[variable])
    report = Report(
        f"phase_{variable}",
        f"Phase diagrams: {data[variable].attrs['long_name']}",
        _extremes(mean, data[variable].attrs["long_name"]),
        f"{settings.words}, {count} × {count} grid; exact limit",
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
    found = _random_optima(settings.spec)
    alpha, efficiency = found.alpha.mean("draw"), found.efficiency.mean("draw")
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
        f"{settings.words}; best weights of each by gradients through the exact limit; "
        "bars: two standard errors over ecosystems.",
        {f"best_alpha_at_{few}": first, f"best_alpha_at_{many}": last},
    )
    columns = {"entities": found.entities.values[:, None], "draw": found.draw.values}
    columns |= {str(name): values.values for name, values in found.items()}
    fine = np.unique(np.geomspace(1, max(2, *settings.entities), 40).astype(int))
    closed = dict(zip(map(str, found), symmetric_optima(fine, 1.0).T, strict=True))
    save_table(request.folder / "optimum_closed_form.csv", {"entities": fine, **closed})
    report.files.append("optimum_closed_form.csv")
    return save(request, report, _optimum_figure(found, fine, closed), columns)


def _random_optima(text: str) -> xr.Dataset:
    """Best α and β, and the mean relative efficiency there, of every random ecosystem of the sweep."""
    spec = parse_spec(text, "best weights")
    fixed = {name: spec.values(name)[0] for name in ("rank", "volume", "mixing", "misalignment")}
    counts, draws = spec.values("entities"), spec.values("draw")
    with pinned_generator():
        family = make_family(spec, spec.values("dimension")[0])

        @jax.jit
        def optimum(entities: Array, draw: Array) -> Float[Array, " 3"]:
            best = best_weights(family(fixed | {"entities": entities, "draw": draw}), MeanEfficiency())
            return jnp.stack([best.weights.alpha, best.weights.beta, -best.value])

        found = np.array([[optimum(count, draw) for draw in draws] for count in counts])
    axes = {"entities": list(counts), "draw": list(draws)}
    names = ("alpha", "beta", "efficiency")
    return xr.Dataset({name: (tuple(axes), found[..., at]) for at, name in enumerate(names)}, axes)


def _optimum_figure(
    found: xr.Dataset, fine: Int[np.ndarray, " size"], closed: dict[str, Float[np.ndarray, " size"]]
) -> Figure:
    """One panel per quantity: means over random ecosystems, and the closed form."""
    counts = found.entities.values
    labels = {"alpha": "best α", "beta": "best β", "efficiency": "relative efficiency there"}
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (9.5, 3))
        for panel, (name, values) in zip(axes, found.items(), strict=True):
            line(panel, 0, fine, closed[str(name)], "all entities alike (closed form)")
            error = values.std("draw", ddof=1) / np.sqrt(values.sizes["draw"])
            points(panel, 1, counts, values.mean("draw"), error)
            panel.set(xlabel="number of entities K", ylabel=labels[str(name)], xscale="log", ylim=(0, 1.02))
            panel.set_xticks(counts, [str(k) for k in counts])
            panel.minorticks_off()
        label = "random ecosystems, mean ± 2 SE"
        axes[0].plot([], [], MARKERS[1], color=color(1), markerfacecolor="white", label=label)
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
