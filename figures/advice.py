"""One page on an ecosystem: errors over (α, β) with the weights in use, the best and the selfish ones, and what would help."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from ..decide.advice import Advice, advise
from ..sim import cached_tile, sharded_grid
from ..theory import Ecosystem, Weights, Workflow, limit, mse
from .page import write_page
from .report import Report, Request, save
from .style import MARKERS, color, grid_of_axes, heat_map, styled, wrapped
from .workflows.table import table_of_panels

_POINTS = 41
_SHOWN = 12  # entities with bars of their own
_HELPFUL = 3
_MATTERS = 0.005  # relative change of an error that is worth a word
_SITUATIONS = ("alone", "in use", "best", "selfish")  # in the order of their colors
_TOLD = 1e-5  # least relative change that is more than rounding


def draw_advice(request: Request, ecosystem: Ecosystem, weights: Weights, workflow: Workflow, source: str) -> Report:
    """Compute the advice, and write the picture and the page `advice.html`.

    Raises:
        NoLimit, DependsOnTheta: as `advise`.
    """
    found = advise(ecosystem, weights, workflow)
    axis = jnp.linspace(0.0, 1.0, _POINTS)

    def error(beta: Float[Array, ""], alpha: Float[Array, ""]) -> Float[Array, ""]:
        return mse(limit(ecosystem, Weights(alpha, beta), workflow, throw=False)).mean()

    tile = cached_tile(ecosystem.entities, ecosystem.dimension)
    plane = np.asarray(jax.jit(lambda: sharded_grid(error, axis, axis, tile=tile))())
    best = found.best.mse.mean()
    report = Report(
        "advice",
        f"Advice on {source}",
        "\n".join(sentences(found)),
        f"K = {ecosystem.entities}, d = {ecosystem.dimension}; exact limit (white: none); mean squared errors in squared units "
        "of θ.",
        {
            "spectral_radius": found.spectral_radius,
            "mean_mse": float(found.mse.mean()),
            "best_mean_mse": float(best),
            "best_alpha": float(found.best.weights.alpha),
            "best_beta": float(found.best.weights.beta),
        },
    )
    columns = {"entity": np.arange(1, ecosystem.entities + 1), **_bars(found)}
    panels = {
        "plane": {"beta": np.asarray(axis)[:, None], "alpha": np.asarray(axis), "mean_mse": plane},
        "entities": columns,
        "changes": {
            "change": [change.name for change in found.changes],
            "mean_mse": [change.mse for change in found.changes],
        },
    }
    save(request, report, _figure(found, plane), table_of_panels(panels))
    write_page(request.folder / "advice.html", [report], "Made by crossfeed advise.")
    report.files.append("advice.html")
    return report


def sentences(found: Advice) -> list[str]:
    """The advice in words."""
    radius, now = found.spectral_radius, found.mse
    stable = radius < 1
    said = [
        f"Training is stable: a perturbation shrinks to {radius:.3g} of itself per generation, {1 - radius:.2g} below the edge."
        if stable
        else f"Training is unstable: perturbations do not die out (spectral radius {radius:.4g}), and there is no limit."
    ]
    if stable:
        gain = 1 - now / found.alone
        gains, losses = (_listed(np.flatnonzero(sign * gain > _MATTERS)) for sign in (1, -1))
        said.append(
            f"Compared with not reading the pool, {gains or 'nobody'} gain{'' if ',' in gains else 's'} and "
            f"{losses or 'nobody'} lose{'' if ',' in losses else 's'}."
        )
    else:
        said.append(f"Without reading the pool (α = 0), the mean squared error is {found.alone.mean():.4g}.")
    best = found.best
    buys = f" instead of {now.mean():.4g}" if stable else ""
    said.append(
        f"The best common weights are α = {float(best.weights.alpha):.3g}, β = {float(best.weights.beta):.3g}, with a mean squared "
        f"error of {float(best.mse.mean()):.4g}{buys}."
    )
    if found.selfish is None:
        said.append("No equilibrium of selfish entities was found.")
    else:
        alpha, beta = (float(w.mean()) for w in (found.selfish.weights.alpha, found.selfish.weights.beta))
        more = float(found.selfish.anarchy) - 1
        said.append(
            f"Entities that choose their own weights end on average at α = {alpha:.3g}, β = {beta:.3g}, which costs "
            f"{f'{100 * more:.3g} %' if more > _TOLD else 'no'} more than the best weights per entity."
        )
    level = now.mean() if stable else np.inf
    helpful = [change for change in found.changes if change.mse < level * (1 - _MATTERS)][:_HELPFUL]
    if helpful:
        told = "; ".join(f"{change.name} ({change.mse:.4g})" for change in helpful)
        most = "what would help most is" if stable else "these changes give a limit, with these errors"
        said.append(f"At the weights in use, {most}: {told}.")
    else:
        said.append("At the weights in use, no single change that was tried helps.")
    return said


def _listed(entities: np.ndarray) -> str:
    names = [str(entity + 1) for entity in entities[:_SHOWN]]
    more = len(entities) - len(names)
    listed = ", ".join(names) + (f", and {more} more" if more else "")
    return f"{'entity' if len(entities) == 1 else 'entities'} {listed}" if names else ""


def _bars(found: Advice) -> dict[str, np.ndarray]:
    """Errors of every entity in the situations compared."""
    bars = {"alone": found.alone, "in use": found.mse, "best": np.asarray(found.best.mse)}
    if found.selfish is not None:
        bars["selfish"] = np.asarray(found.selfish.costs)
    return {name: errors for name, errors in bars.items() if np.isfinite(errors).any()}


def _figure(found: Advice, plane: np.ndarray) -> Figure:
    """The plane of common weights, the errors of every entity, and the effects of single changes."""
    axis = np.linspace(0, 1, plane.shape[1])
    finite = plane[np.isfinite(plane)]
    shown = np.where(np.isfinite(plane), np.log10(plane), np.nan)
    low, high = np.log10(finite.min()), np.log10(np.percentile(finite, 90))
    places = {"in use": found.weights, "best": found.best.weights}
    if found.selfish is not None:
        places["selfish"] = found.selfish.weights
    with styled():
        figure, (panels,) = grid_of_axes(1, 3, (12, 3.8))
        image = heat_map(panels[0], axis, axis, shown, np.linspace(low, high, 7)[1:-1], vmin=low, vmax=high)
        figure.colorbar(image, ax=panels[0], label="log₁₀ of mean MSE", extend="max")
        for number, (name, weights) in enumerate(places.items(), 1):
            look: dict[str, Any] = {
                "color": "white",
                "markeredgecolor": color(number),
                "linestyle": "none",
                "markersize": 13 - 3 * number,  # so that one at the same place shows behind another
                "clip_on": False,
            }
            panels[0].plot(weights.alpha, weights.beta, MARKERS[number], label=f"weights {name}", **look)
        panels[0].set(xlabel="α, weight of synthetic data", ylabel="β, weight of private data", title="common weights")
        bars = _bars(found)
        entities = min(len(found.mse), _SHOWN)
        for number, (name, values) in enumerate(bars.items()):
            heights = np.where(np.isfinite(values), values, np.nan)[:entities]
            place = np.arange(1, entities + 1) + (number - (len(bars) - 1) / 2) * 0.8 / len(bars)
            panels[1].bar(place, heights, 0.8 / len(bars), color=color(_SITUATIONS.index(name)), label=f"error {name}")
        panels[1].set(xlabel="entity", ylabel="MSE", title="errors", xticks=np.arange(1, entities + 1))
        changes = found.changes[:8][::-1]
        panels[2].barh([wrapped(change.name) for change in changes], [change.mse for change in changes], color=color(1))
        stable = np.isfinite(found.mse).all()
        if stable:
            panels[2].axvline(found.mse.mean(), color=color(0), linewidth=1)
        panels[2].set(
            xlabel=f"mean MSE{' (line: now)' if stable else ''}", title="single changes at the weights in use"
        )
        if not changes:
            panels[2].set(xticks=[], yticks=[])
            panels[2].text(0.5, 0.5, "none that was tried gives a limit", ha="center", transform=panels[2].transAxes)
        for panel in panels[1:]:
            panel.set_axisbelow(True)
        handles = [handle for panel in panels[:2] for handle in panel.get_legend_handles_labels()[0]]
        figure.legend(handles=handles, loc="outside upper center", ncols=7)
    return figure
