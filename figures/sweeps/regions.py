"""Regions of stability: where ρ(Q) < 1 and where a theorem proves it."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..report import Report, Request, save
from ..settings import Dimension, Draws, Entities, Points, Seed, Weight, Within, check_rank
from ..style import color_bar, color_scale, grid_of_axes, heat_map, styled
from .stores import swept

_SPEC = """
[sweep]
quantities = ["spectral_radius", "lemma1_applies", "common_prompts_stable"]
seed = {seed}
[ecosystem]
draws = {draws}
public_rows = {public_rows}
[axes]
entities = {entities}
dimension = {dimension}
rank = {rank}
alpha = {alpha}
misalignment = {misalignment}
mixing = {{ from = 0.0, to = 1.0, points = {points} }}
beta = {{ from = 0.0, to = 1.0, points = {points} }}
"""
_LOWEST = 0.7  # end of the color scale of ρ(Q)
_LEMMA, _BEYOND = "///", "..."  # hatches
_DOTS: dict[str, Any] = {
    "linestyle": "",
    "marker": ".",
    "color": "white",
    "markeredgecolor": "black",
    "markersize": 4,
}


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; regions.toml says what they are and holds the shipped ones."""

    seed: Seed
    entities: Entities
    dimension: Dimension
    rank: Dimension
    public_rows: Dimension
    alpha: Weight
    misalignment: Annotated[tuple[float, ...], Within(0, 1, longest=4)]
    draws: Draws
    points: Points

    def __post_init__(self) -> None:
        check_rank(self.rank, self.dimension)


def draw(request: Request, settings: Settings) -> Report:
    """Write the largest ρ(Q) of all random ecosystems over (β, λ), with the regions where a theorem proves a limit."""
    spec = _SPEC.format(**vars(settings) | {"misalignment": list(settings.misalignment)})
    data = swept(request, "regions", spec)
    data = data.transpose("draw", "misalignment", "mixing", "beta")
    worst, promised = data.spectral_radius.max("draw"), _promised(data)
    everywhere = {name: region.all("draw") for name, region in promised.items()}
    broken = int(((data.spectral_radius > 1 + 1e-9) & xr.concat(promised.values(), "promise").any("promise")).sum())
    unstable = (worst >= 1 + 1e-9).mean(("mixing", "beta"))
    shares = {f"{m:g}": float(unstable.sel(misalignment=m)) for m in data.misalignment.values}
    rows = "one public row" if settings.public_rows == 1 else f"{settings.public_rows} public rows"
    report = Report(
        "regions",
        "Where training is stable, and where a theorem proves it",
        "Without misalignment stability is proved by Lemma 1 for β ≤ λ, by its bound without that condition for all 0 < β < 1, "
        f"and by the common-prompt criterion at λ = 0 ({f'contradicted {broken} times' if broken else 'never contradicted'}). "
        "Some ecosystem diverges on "
        + ", ".join(f"{share:.0%} of the plane at misalignment {m}" for m, share in shares.items())
        + ".",
        f"K = {settings.entities}, d = {settings.dimension}, private rank {settings.rank}, {rows}, α = {settings.alpha:g}; "
        "S = (1-μ)(λS~ + (1-λ)S_*) + μS' with misalignment μ and unrelated "
        f"prompts S'; {settings.draws} random ecosystems (seed {settings.seed}) at each of {settings.points} × {settings.points} "
        "points; exact.",
        {"unstable_share": shares, "promises_broken": broken},
    )
    columns = {
        "misalignment": data.misalignment.values[:, None, None],
        "mixing": data.mixing.values[:, None],
        "beta": data.beta.values,
        "largest_spectral_radius": worst.values,
    }
    columns |= {name: region.values for name, region in everywhere.items()}
    return save(request, report, _figure(worst, everywhere), columns)


def _promised(data: xr.Dataset) -> dict[str, xr.DataArray]:
    """Masks of the points where theorems prove that there is a limit, for every random ecosystem."""
    lemma, common = data.lemma1_applies > 0.5, data.common_prompts_stable > 0.5
    # Without misalignment S is the mixture of Lemma 1, which is stable for all 0 < β < 1 (docs/theory.md, section 4).
    mixture = (data.misalignment == 0) & (data.mixing > 0) & (data.beta > 0) & (data.beta < 1)
    return {
        "lemma1_applies": lemma,
        "lemma1_beyond_applies": mixture.broadcast_like(lemma).transpose(*lemma.dims) & ~lemma,
        "common_prompts_stable": common,
    }


def _figure(worst: xr.DataArray, promised: dict[str, xr.DataArray]) -> Figure:
    """One panel per misalignment: heat map of the largest ρ(Q), with hatches and dots where stability is proved."""
    beta, mixing, highest = worst.beta.values, worst.mixing.values, float(worst.max())
    count = worst.sizes["misalignment"]
    with styled():
        figure, (axes,) = grid_of_axes(1, count, (max(3.2 * count + 0.9, 7.5), 3.8), sharey=True)
        for panel, misalignment in zip(axes, worst.misalignment.values, strict=True):
            at = {"misalignment": misalignment}
            heat_map(panel, beta, mixing, worst.sel(at), [0.8, 0.9, 1 + 1e-9, 1.05], vmin=_LOWEST, vmax=highest)
            for name, hatch in (("lemma1_applies", _LEMMA), ("lemma1_beyond_applies", _BEYOND)):
                region = promised[name].sel(at)
                if region.any():
                    panel.contourf(beta, mixing, region, levels=[0.5, 1.5], colors="none", hatches=[hatch])
            where = np.argwhere(promised["common_prompts_stable"].sel(at).values)
            panel.plot(beta[where[:, 1]], mixing[where[:, 0]], **_DOTS)
            panel.set(title=f"misalignment {misalignment:g}", xlabel="β, weight of private data")
        axes[0].set_ylabel("λ, weight of private inputs\namong prompts")
        color_bar(figure, axes, worst, color_scale(_LOWEST, highest), "largest ρ(Q) of all ecosystems")
        promises = [
            Patch(facecolor="none", edgecolor="black", hatch=_LEMMA, label="Lemma 1: β ≤ λ"),
            Patch(facecolor="none", edgecolor="black", hatch=_BEYOND, label="Lemma 1 without β ≤ λ (docs/theory.md)"),
            Line2D([], [], label="common prompts", **_DOTS),
        ]
        figure.legend(handles=promises, loc="outside upper center", ncols=3, title="ρ(Q) < 1 is proved:")
    return figure
