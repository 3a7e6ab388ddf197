"""Who is stable: the true region ρ < 1 beside what the criteria promise, and growth in the worst case."""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from ...theory import Weights, spectral_radius, worst_case
from ..report import Report, Request, save
from ..style import COLOURS, DASHES, HEAT, grid_of_axes, heat_map, styled
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
_LOWEST = 0.7  # end of the colour scale of ρ(Q)


def draw_regions(request: Request) -> Report:
    """Largest ρ(Q) over draws on the (β, λ) plane, with the regions of Lemma 1 and of common prompts."""
    points, draws = (21, 20) if request.quick else (41, 40)
    data = swept(request, "regions", _SPEC.format(seed=request.seed, points=points, draws=draws))
    worst = data.spectral_radius.max("draw")
    lemma, common = (data[name].min("draw") > 0.5 for name in ("lemma1_applies", "common_prompts_stable"))
    edges, highest = np.linspace(0, 1, points), float(worst.max())
    with styled():
        figure, (axes,) = grid_of_axes(1, 3, (10.5, 3.4), sharey=True)
        for panel, misalignment in zip(axes, data.misalignment.values, strict=True):
            at = {"misalignment": misalignment}
            part = worst.sel(at).transpose("mixing", "beta").values
            heat_map(panel, edges, edges, part, [0.8, 0.9, 1 + 1e-9, 1.05], vmin=_LOWEST, vmax=highest)
            inside = lemma.sel(at).transpose("mixing", "beta").values
            if inside.any():
                panel.contourf(edges, edges, inside, levels=[0.5, 1.5], colors="none", hatches=["///"])
            shared = common.sel(at).transpose("mixing", "beta").values
            where = np.argwhere(shared)
            panel.plot(
                edges[where[:, 1]], edges[where[:, 0]], ".", color="white", markeredgecolor="black", markersize=4
            )
            panel.set(title=f"misalignment {misalignment:g}", xlabel="β, weight of private data")
        axes[0].set_ylabel("λ, private part of what is published about")
        scale = ScalarMappable(Normalize(_LOWEST, highest), cmap=HEAT)
        figure.colorbar(scale, ax=axes, label="largest ρ(Q) of all draws", extend="min")
        unstable = (worst >= 1 + 1e-9).mean(("mixing", "beta"))
        violated = int(((data.spectral_radius > 1 + 1e-9) & (data.lemma1_applies > 0.5)).sum())
        shares = {f"{m:g}": float(unstable.sel(misalignment=m)) for m in data.misalignment.values}
        report = Report(
            "regions",
            "Where training is stable, and where a theorem says so",
            f"Lemma 1 (hatched, {'never' if not violated else f'{violated} times'} contradicted) and the common-prompt criterion "
            "(dots at λ = 0) promise stability only on parts of the plane; some ecosystem diverges on "
            + ", ".join(f"{share:.0%} of it at misalignment {m}" for m, share in shares.items())
            + ", also for β > λ, where the lemma is silent.",
            "K = 8, d = 4, private rank 1, one public row, α = 0.9; S = (1-μ)(λS~ + (1-λ)S_*) + μS', S' of unrelated prompts, "
            f"μ the misalignment; {draws} random ecosystems (seed {request.seed}) at each of {points} × {points} points; exact.",
            {"unstable_share": shares, "lemma1_violations": violated},
        )
        return save(
            request,
            report,
            figure,
            {
                "misalignment": data.misalignment.values[:, None, None],
                "mixing": edges[:, None],
                "beta": edges,
                "largest_spectral_radius": worst.transpose("misalignment", "mixing", "beta").values,
                "lemma1_applies": lemma.transpose("misalignment", "mixing", "beta").values,
                "common_prompts_stable": common.transpose("misalignment", "mixing", "beta").values,
            },
        )


def draw_worst_case(request: Request) -> Report:
    """ρ(Q) against the strength of private data in the family that attains Theorem U."""
    strengths = jnp.asarray(_STRENGTHS)
    radii = []
    for entities in _SIZES:  # arrays of different shape
        one = lambda strength, k=entities: spectral_radius(worst_case(k, strength), Weights(0.5, 1.0))  # noqa: E731
        radii.append(np.asarray(jax.jit(jax.vmap(one))(strengths)))
    with styled():
        figure, ((panel,),) = grid_of_axes(1, 1, (5.5, 3.6))
        for number, (entities, radius) in enumerate(zip(_SIZES, radii, strict=True)):
            bound = (1 + np.sqrt(entities)) / 2
            panel.plot(
                _STRENGTHS,
                radius,
                DASHES[number],
                color=COLOURS[number],
                label=f"K = d = {entities}, bound {bound:.3f}",
            )
            panel.axhline(bound, color=COLOURS[number], linewidth=0.6)
        panel.axhline(1, color="#888888", linewidth=0.8)
        panel.set(
            xscale="log", xlabel="ℓ = āL/α, strength of private data", ylabel="spectral radius ρ(Q)", ylim=(0.95, 2.1)
        )
        panel.legend(loc="upper left")
        report = Report(
            "worst_case",
            "Growth in the worst case, up to the bound of Theorem U",
            "Entities that publish about other things than they know diverge although each keeps its real data, at rates up to "
            f"(1+√m)/2: at ℓ = {_STRENGTHS[-1]:g}, ρ(Q) is {radii[0][-1]:.4f} for two models and {radii[-1][-1]:.4f} for nine.",
            "The worst-case family of docs/theory.md, section 3, α = 1/2, β = 1; thin lines: bounds.",
            {str(k): float(r[-1]) for k, r in zip(_SIZES, radii, strict=True)},
        )
        return save(
            request,
            report,
            figure,
            {"entities": np.array(_SIZES)[:, None], "strength": _STRENGTHS, "spectral_radius": np.stack(radii)},
        )
