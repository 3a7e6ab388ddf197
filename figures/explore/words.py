"""Sentences of the page, derived from the numbers it shows."""

import math
from typing import SupportsFloat

import numpy as np

from .model import GENERATIONS, Diagram, Prediction, Setting, best_weights, state, weight_shares


def caption(setting: Setting) -> str:
    """Setting of a picture, in words."""
    return f"α = {setting.alpha:.2f}, β = {setting.beta:.2f}, {plane_caption(setting)}"


def plane_caption(setting: Setting) -> str:
    """Setting of the phase diagram, which holds all weights."""
    return f"K = {setting.entities}, c = {setting.volume:.3g}, misalignment {setting.misalignment:.2f}"


def verdict(here: Prediction) -> str:
    """Sentence on whether training has a limit, and how fast errors converge or grow."""
    radius = float(here.spectral_radius)
    if state(here) == "diverges":
        return (
            f"The ecosystem diverges. ρ(Q) = {radius:.4f}, so in the long run root mean squared errors grow by "
            f"{percent(radius - 1)} per generation, and there is no limit."
        )
    if state(here) == "drifts":
        return (
            "The ecosystem has no limit. ρ(Q) = 1: perturbations do not decay, so the noise of all generations adds up."
        )
    if radius < 0.05:
        return f"The ecosystem converges at once: ρ(Q) = {radius:.4f}."
    halving = math.log(0.5) / math.log(radius)
    shown = f"{radius:.4f}" if radius < 0.9999 else f"1 - {1 - radius:.1e}"
    return f"The ecosystem converges. ρ(Q) = {shown}, so a perturbation halves every {halving:.3g} generations."


def about_errors(here: Prediction) -> str:
    """Sentence on the trajectories."""
    first, last = float(here.mean_mse[0]), float(here.mean_mse[-1])
    if last >= 10 * first:
        change = f"{last / first:.3g} times that"
    elif abs(last / first - 1) < 5e-4:
        change = "the same"
    else:
        change = f"{percent(abs(last / first - 1))} {'more' if last > first else 'less'}"
    said = f"Mean MSE is {first:.3g} σ² at generation 0 and {last:.3g} σ² at generation {GENERATIONS}, {change}."
    return f"{said} It has no limit." if state(here) != "converges" else f"{said} Its limit is {here.limit_mse:.3g} σ²."


def about_weights(here: Prediction, diagram: Diagram) -> str:
    """Sentence on the phase diagram, with the best and the chosen weights."""
    with_limit = np.isfinite(diagram.efficiency)
    beta, alpha, best = best_weights(diagram)
    said = (
        f"Training has a limit on {percent(with_limit.mean())} of the plane. The best weights are α = {alpha:.3g}, β = {beta:.3g} "
        f"(diamond), mean relative efficiency {best:.3f}"
    )
    if state(here) != "converges":
        return f"{said}; your weights (circle) have no limit."
    mine = float(here.efficiency)
    rest = f"your weights (circle) reach {mine:.3f}"
    return f"{said}; {rest}." if mine <= best else f"{said}; {rest}, as they lie between the points of the grid."


def about_transfer(setting: Setting, here: Prediction) -> str:
    """Sentence on the transfer matrix."""
    if state(here) != "converges":
        return "There is no limit, and so there are no weights."
    own, others, public = weight_shares(setting, here)
    parts = [f"{percent(own)} on its own private data"]
    if setting.entities > 1:
        parts.append(f"{percent(others)} on others'")
    parts.append(f"{percent(public)} on public data")
    unseen = 1 - own - others - public
    if unseen > 1e-6:
        parts.append(f"and leaves {percent(unseen)} unlearned")
    return "On average an entity puts a weight of " + ", ".join(parts) + "."


def about_turn(setting: Setting, here: Prediction) -> str:
    """Sentence on the misalignment as an angle, with the bound of Theorem U."""
    turn = f"The private data of an entity is turned by {math.degrees(here.turn):.0f}° from its topic"
    if np.isnan(here.universal_bound):  # another workflow than the paper's
        return f"{turn}."
    bound = f"for all weights ρ(Q) ≤ {float(here.universal_bound):.3f} (Theorem U)"
    if setting.entities == 1:
        return f"{turn}. A single model cannot diverge: {bound}."
    return f"{turn}; {bound}."


def numbers(setting: Setting, here: Prediction) -> dict[str, str]:
    """Numbers beside the pictures, by name; a dash where there is none."""
    own, others, public = weight_shares(setting, here)
    return {
        "spectral_radius": digits(here.spectral_radius),
        "limit_mse": digits(here.limit_mse),
        "minimum_variance": digits(here.minimum_variance),
        "efficiency": digits(here.efficiency),
        "homogenization": digits(here.homogenization),
        "own": digits(own),
        "others": digits(others),
        "public": digits(public),
    }


def percent(share: float) -> str:
    """Share in percent, with three digits."""
    return f"{100 * share:.3g} %"


def digits(value: SupportsFloat) -> str:
    """Number with five digits, or a dash if it is not finite."""
    return f"{float(value):.5g}" if math.isfinite(float(value)) else "–"
