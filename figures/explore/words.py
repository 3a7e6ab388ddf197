"""Sentences of the page, derived from the numbers it shows."""

import math
from typing import SupportsFloat

import numpy as np

from .family import Setting
from .model import GENERATIONS, Diagram, Prediction, best_weights, state, weight_shares, with_limits


def caption(setting: Setting) -> str:
    """Setting of a picture, in words."""
    return f"α = {setting.alpha:.2f}, β = {setting.beta:.2f}, {plane_caption(setting)}"


def plane_caption(setting: Setting) -> str:
    """Setting of the phase diagram, which holds all weights."""
    plane = f"K = {setting.entities}, c = {setting.volume:.3g}"
    return plane if setting.misalignment is None else f"{plane}, misalignment {setting.misalignment:.2f}"


def unit(setting: Setting) -> str:
    """Unit of mean squared errors: σ² of the family's labels, or that of the square of an own ecosystem's θ."""
    return "σ²" if setting.misalignment is not None else "θ²"


def verdict(here: Prediction) -> str:
    """Sentence on whether training has a limit, and how fast errors converge or grow."""
    radius = float(here.spectral_radius)
    if state(here) == "unknown":
        return "ρ(Q) cannot be computed: the data are too ill-conditioned for float64."
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


def about_safety(here: Prediction) -> str:
    """Sentence on the smallest changes of real and of public data that exclude growth."""
    public = float(here.public_change)
    if public == 0:
        return "Distance to safety: with these prompts nothing can grow, whatever entities know."
    needed = []
    if math.isfinite(here.knowledge_change):
        needed.append(f"{here.knowledge_change:.3g} times the real data there are (Theorem K)")
    if math.isfinite(public):
        needed.append(f"{public:.3g} times the public data, whatever entities know")
    said = f"Distance to safety: growth is excluded by at least {', or by at least '.join(needed)}." if needed else ""
    if public == math.inf:
        said += " No amount of public data excludes growth, as it has no weight or does not cover what is published."
    return said.strip()


def about_errors(setting: Setting, here: Prediction) -> str:
    """Sentence on the trajectories."""
    first, last, of = float(here.mean_mse[0]), float(here.mean_mse[-1]), unit(setting)
    if math.isnan(first):
        return "The first estimates are biased, so errors depend on θ, which the ecosystem does not hold."
    if last >= 10 * first:
        change = f"{last / first:.3g} times that"
    elif abs(last / first - 1) < 5e-4:
        change = "the same"
    else:
        change = f"{percent(abs(last / first - 1))} {'more' if last > first else 'less'}"
    said = f"Mean MSE is {first:.3g} {of} at generation 0 and {last:.3g} {of} at generation {GENERATIONS}, {change}."
    return (
        f"{said} It has no limit." if state(here) != "converges" else f"{said} Its limit is {here.limit_mse:.3g} {of}."
    )


def about_weights(here: Prediction, diagram: Diagram) -> str:
    """Sentence on the phase diagram, with the best and the chosen weights."""
    with_limit = with_limits(diagram)
    said = f"Training has a limit on {percent(with_limit.mean())} of the plane."
    if (found := best_weights(diagram)) is None:
        return f"{said} No estimator from all real data is unbiased for every entity, so there is no efficiency."
    beta, alpha, best = found
    said = f"{said} The best weights are α = {alpha:.3g}, β = {beta:.3g} (diamond), mean relative efficiency {best:.3f}"
    if state(here) != "converges":
        return f"{said}; your weights (circle) have no limit."
    mine = float(here.efficiency)
    if math.isnan(mine):
        return f"{said}; your weights (circle) have no efficiency."
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
    if setting.misalignment is None:
        return (
            "" if np.isnan(here.universal_bound) else f"For all weights ρ(Q) ≤ {here.universal_bound:.3f} (Theorem U)."
        )
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
        "margin": digits(1 - here.spectral_radius),
        "kappa": digits(here.kappa),
        "knowledge_change": digits(here.knowledge_change),
        "public_change": digits(here.public_change),
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
