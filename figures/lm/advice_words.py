"""Advice on runs of language models in words."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ...decide import Backtest, Difference, LossAdvice, by_kind, difference

KINDS = ("own tasks", "others' tasks", "public text")
_SHOWN = 12  # models named

Similarities = tuple[Float[np.ndarray, " generation"], Float[np.ndarray, "seed generation"]]
"""Generations at which it was measured, and mean similarity of two models' completions."""


def sentences(found: LossAdvice, written: Similarities | None) -> list[str]:
    """The advice in words."""
    said = [_levels(found), _gains("Compared with generation 0", found.since_start)]
    if found.over_alone is not None:
        said.append(_gains("Compared with the same seeds that train alone (α = 0)", found.over_alone))
    elif found.alpha > 0:
        said.append("No finished run has α = 0 at this β, so nothing is said of training alone.")
    said += [_similarity(*written)] if written else []
    said += [_forecast(found), _tested(found.backtest), _stability(found)]
    return [*said, _measured_elsewhere(found), _other_alpha(found)]


def _levels(found: LossAdvice) -> str:
    now = by_kind(found.used[:, -1].mean(0)).mean(-1)
    return f"At generation {_last(found)}, mean losses are {_by_kind('{:.2f}', now)} ({seeds(len(found.used))})."


def _gains(situation: str, change: Difference) -> str:
    parts = []
    for kind, mean, told in zip(KINDS, change.mean, change.told, strict=True):
        if not np.isfinite(mean).all():
            continue
        groups = [(np.flatnonzero(told & (mean < 0)), "gain"), (np.flatnonzero(told & (mean > 0)), "lose")]
        some = [_group(models, verb) for models, verb in groups if len(models)]
        parts.append(
            f"on {kind} {' and '.join(some) or 'no change exceeds noise'} ({_signed(mean.mean())} on average over all models)"
        )
    return f"{situation}: {'; '.join(parts)}."


def _group(models: np.ndarray, verb: str) -> str:
    """Models, numbered from 1, and what they do."""
    if len(models) == 1:
        return f"model {models[0] + 1} {verb}s"
    more = len(models) - _SHOWN
    names = ", ".join(str(model + 1) for model in models[:_SHOWN])
    return f"models {names}{f' and {more} more' if more > 0 else ''} {verb}"


def _similarity(generations: Float[np.ndarray, " generation"], values: Float[np.ndarray, "seed generation"]) -> str:
    change = difference(values[:, -1:] - values[:, :1], np.full(1, np.nan))
    size = f"{change.mean[0]:+.3f}".replace("-", "−")
    if len(values) == 1:
        size += ", of one seed, so chance is not excluded"
    else:
        size += f" ± {change.margin[0]:.3f}" + ("" if change.told[0] else ", no more than noise")
    return (
        f"The mean similarity of two models' completions went from {values[:, 0].mean():.3f} at generation {generations[0]:g} to "
        f"{values[:, -1].mean():.3f} at generation {generations[-1]:g} ({size})."
    )


def _forecast(found: LossAdvice) -> str:
    at, ahead = found.expected, len(found.expected.mean)
    ends = [
        f"{mean:.2f} ({low:.2f} to {high:.2f})"
        for mean, low, high in zip(at.mean[-1], at.low[-1], at.high[-1], strict=True)
    ]
    told = _by_kind("{}", ends, at.mean[-1])
    return f"For generation {_last(found) + ahead}, the recursion fitted to these runs forecasts {told}."


def _tested(test: Backtest | None) -> str:
    if test is None:
        return "The runs are too short to hold such a forecast against losses that came."
    worse = [kind for kind, miss, stay in zip(KINDS, test.forecast, test.persistence, strict=True) if miss >= stay]
    trust = f" On {' and '.join(worse)}, expect the last losses instead." if worse else ""
    return (
        f"From losses up to generation {test.seen}, it would have missed the later ones of these runs by "
        f"{_by_kind('{:.2f}', test.forecast)}; keeping the last losses, by {_by_kind('{:.2f}', test.persistence)}. Its "
        f"intervals of 90 % would have held {_by_kind('{:.0%}', test.covered).replace('%', ' %')}.{trust}"
    )


def _stability(found: LossAdvice) -> str:
    radius, low, high = found.spectral_radius
    interval = f"the recursion keeps {radius:.2f} ({low:.2f} to {high:.2f}) of a deviation per generation"
    if high < 1:
        return f"Losses settle: {interval}."
    if low > 1:
        return f"Losses run away: {interval}."
    return f"Whether losses settle is not told: {interval}."


def _measured_elsewhere(found: LossAdvice) -> str:
    if not found.elsewhere:
        return "No finished runs have other weights."
    parts = []
    for at, kind in enumerate(KINDS):
        lower = {w: change for w, change in found.elsewhere.items() if change.told[at] and change.mean[at] < 0}
        if lower:
            (alpha, beta), least = min(lower.items(), key=lambda item: item[1].mean[at])
            size = f"{_signed(least.mean[at])} ± {least.margin[at]:.2f}"
            parts.append(f"{kind} at α = {alpha:g}, β = {beta:g} ({size})")
    if not parts:
        return "No finished runs with other weights end with mean losses that are lower by more than noise."
    return f"Among finished runs with other weights, lowest and lower than in use are the losses on {'; '.join(parts)}."


def _other_alpha(found: LossAdvice) -> str:
    if not len(found.alphas):
        return (
            f"All finished runs at this β have α = {found.alpha:g}, and from one α what synthetic data do cannot be told from what "
            "real data do: nothing is said of a change of α."
        )
    changed, parts = found.changed, []
    for at, kind in enumerate(KINDS):
        place = changed.mean[:, at].argmin()
        if changed.high[place, at] < 0:
            mean, low, high = (_signed(values[place, at]) for values in (changed.mean, changed.low, changed.high))
            parts.append(f"on {kind} most at α = {found.alphas[place]:.2g} ({mean}, between {low} and {high})")
    lowers = f"would lower losses {'; '.join(parts)}" if parts else "would lower no mean loss for certain"
    least, most = found.alphas[[0, -1]]
    return (
        f"Within the α of the runs, {least:g} to {most:g}, beyond which nothing is said: by the recursion, changing α now "
        f"{lowers}, by generation {_last(found) + len(found.expected.mean)}."
    )


def seeds(count: int) -> str:
    """Number of seeds in words."""
    return "one seed" if count == 1 else f"{count} seeds"


def _last(found: LossAdvice) -> int:
    return found.used.shape[1] - 1


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _by_kind(form: str, values: Sequence[object] | np.ndarray, exists: np.ndarray | None = None) -> str:
    """Values of those kinds that exist, formatted."""
    real = np.isfinite(np.asarray(values if exists is None else exists, float))
    told = [f"{form.format(value)} on {kind}" for kind, value, one in zip(KINDS, values, real, strict=True) if one]
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
