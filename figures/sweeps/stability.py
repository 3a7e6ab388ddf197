"""Regions of stability: where ρ(Q) < 1 and where a theorem proves it, and growth in the worst case."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ...theory import Weights, spectral_radius, worst_case
from ..report import Report, Request, save
from ..style import COLORS, color_bar, color_scale, grid_of_axes, heat_map, line, styled
from .sizes import Sizes
from .stores import swept

_SPEC = """
[sweep]
quantities = ["spectral_radius", "lemma1_applies", "common_prompts_stable"]
seed = {seed}
[ecosystem]
draws = {draws}
public_rows = 1
[axes]
entities = 8
dimension = 4
rank = 1
alpha = 0.9
misalignment = [0.0, 0.5, 0.95]
mixing = {{ from = 0.0, to = 1.0, points = {points} }}
beta = {{ from = 0.0, to = 1.0, points = {points} }}
"""
_STRENGTHS = np.geomspace(1e-2, 1e4, 61)
_SIZES = (2, 3, 5, 9)
_LOWEST = 0.7  # end of the color scale of ρ(Q)
_LEMMA, _BEYOND = "///", "..."  # hatches
_DOTS: dict[str, Any] = {
    "linestyle": "",
    "marker": ".",
    "color": "white",
    "markeredgecolor": "black",
    "markersize": 4,
}


def draw_regions(request: Request, sizes: Sizes) -> Report:
    """Write the largest ρ(Q) of all random ecosystems over (β, λ), with the regions where a theorem proves a limit."""
    points, draws = sizes.region_points, sizes.region_draws
    data = swept(request, "regions", _SPEC.format(seed=request.seed, points=points, draws=draws))
    data = data.transpose("draw", "misalignment", "mixing", "beta")
    worst, promised = data.spectral_radius.max("draw"), _promised(data)
    everywhere = {name: region.all("draw") for name, region in promised.items()}
    broken = int(((data.spectral_radius > 1 + 1e-9) & xr.concat(promised.values(), "promise").any("promise")).sum())
    unstable = (worst >= 1 + 1e-9).mean(("mixing", "beta"))
    shares = {f"{m:g}": float(unstable.sel(misalignment=m)) for m in data.misalignment.values}
    report = Report(
        "regions",
        "Where training is stable, and where a theorem proves it",
        "Without misalignment stability is proved by Lemma 1 for β ≤ λ, by its bound without that condition for all 0 < β < 1, "
        f"and by the common-prompt criterion at λ = 0 ({f'contradicted {broken} times' if broken else 'never contradicted'}). "
        "With misalignment none of them applies; some ecosystem diverges on "
        + ", ".join(f"{share:.0%} of the plane at misalignment {m}" for m, share in shares.items())
        + ".",
        "K = 8, d = 4, private rank 1, one public row, α = 0.9; S = (1-μ)(λS~ + (1-λ)S_*) + μS' with misalignment μ and unrelated "
        f"prompts S'; {draws} random ecosystems (seed {request.seed}) at each of {points} × {points} points; exact.",
        {"unstable_share": shares, "promises_broken": broken},
    )
    columns = {
        "misalignment": data.misalignment.values[:, None, None],
        "mixing": data.mixing.values[:, None],
        "beta": data.beta.values,
        "largest_spectral_radius": worst.values,
    }
    columns |= {name: region.values for name, region in everywhere.items()}
    return save(request, report, _regions_figure(worst, everywhere), columns)


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


def _regions_figure(worst: xr.DataArray, promised: dict[str, xr.DataArray]) -> Figure:
    """One panel per misalignment: heat map of the largest ρ(Q), with hatches and dots where stability is proved."""
    beta, mixing, highest = worst.beta.values, worst.mixing.values, float(worst.max())
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.8), sharey=True)
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


def draw_worst_case(request: Request, sizes: Sizes) -> Report:
    """Write ρ(Q) against the strength of private data in the family that attains the bound of Theorem U."""
    radii = np.stack([_worst_case_radii(entities) for entities in _SIZES])
    report = Report(
        "worst_case",
        "Growth in the worst case, up to the bound of Theorem U",
        "Entities that publish labels for inputs unlike those they know diverge although each keeps its real data, by factors up "
        f"to (1+√m)/2 per generation: at ℓ = {_STRENGTHS[-1]:g}, ρ(Q) is {radii[0, -1]:.4f} for two models and {radii[-1, -1]:.4f} "
        "for nine.",
        "The worst-case family of docs/theory.md, section 3, α = 1/2, β = 1; thin lines: bounds.",
        {str(k): float(r[-1]) for k, r in zip(_SIZES, radii, strict=True)},
    )
    columns = {"entities": np.array(_SIZES)[:, None], "strength": _STRENGTHS, "spectral_radius": radii}
    return save(request, report, _worst_case_figure(radii), columns)


def _worst_case_radii(entities: int) -> Float[np.ndarray, " strength"]:
    """ρ(Q) of the worst-case family at all of `_STRENGTHS`."""

    def radius(strength: Float[Array, ""]) -> Float[Array, ""]:
        return spectral_radius(worst_case(entities, strength), Weights(0.5, 1.0))

    return np.asarray(jax.jit(jax.vmap(radius))(jnp.asarray(_STRENGTHS)))


def _worst_case_figure(radii: Float[np.ndarray, "size strength"]) -> Figure:
    """One line per K, with its bound."""
    with styled():
        figure, ((panel,),) = grid_of_axes(1, 1, (5.5, 3.6))
        for number, (entities, radius) in enumerate(zip(_SIZES, radii, strict=True)):
            bound = (1 + np.sqrt(entities)) / 2
            line(panel, number, _STRENGTHS, radius, f"K = d = {entities}, bound {bound:.3f}")
            panel.axhline(bound, color=COLORS[number], linewidth=0.6)
        panel.axhline(1, color="#888888", linewidth=0.8)
        panel.set(
            xscale="log", xlabel="ℓ = āL/α, strength of private data", ylabel="spectral radius ρ(Q)", ylim=(0.95, 2.1)
        )
        figure.legend(loc="outside upper center", ncols=2)
    return figure
