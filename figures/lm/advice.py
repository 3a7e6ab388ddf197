"""One page on runs of language models: who gains, what comes next and how far to trust it, and what other weights do."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from crossfeed.errors import InvalidInput

from ...decide import Difference, LossAdvice, advise_on_losses, by_kind, difference
from ...sim.lm import check_held
from ..page import write_page
from ..report import Report, Request, save
from ..style import DASHES, MARKERS, color, grid_of_axes, line, styled
from ..workflows.table import table_of_panels
from .plots import setting
from .tables import between_models

KINDS = ("its own task", "others' tasks", "public text")
_SHOWN = 12  # entities with bars of their own


def draw_loss_advice(
    request: Request, data: xr.Dataset, alpha: float | None, beta: float | None, source: str
) -> Report:
    """Compute the advice on one α and β of runs, and write the picture and the page `advice.html`.

    Args:
        request: where to write.
        data: measures of runs, from `open_runs`.
        alpha: α in use; None if the runs have a single one.
        beta: β in use; None if the runs have a single one.
        source: name of the runs.

    Raises:
        InvalidInput: α or β is not that of a run or is missing, its runs are not finished, or there are too few generations.
    """
    alpha, beta = _in_use("alpha", alpha, data.alpha.values), _in_use("beta", beta, data.beta.values)
    losses = data.loss.transpose("seed", "alpha", "beta", "generation", "entity", "dataset")
    _refuse_unfinished(losses.sel(alpha=alpha, beta=beta))
    found = advise_on_losses(losses.sel(beta=beta).values, data.alpha.values.tolist(), alpha)
    elsewhere = _other_weights(losses, alpha, beta)
    written = _similarities(data.sel(alpha=alpha, beta=beta))
    report = Report(
        "advice",
        f"Advice on {source}, α = {alpha:g} and β = {beta:g}",
        " ".join(_sentences(found, elsewhere, written)),
        f"K = {data.sizes['entity']}; test losses in nats per token, means over {_seeds(len(found.used))}; {setting(data)}.",
        _numbers(found),
    )
    save(request, report, _figure(found, written), table_of_panels(_panels(found, elsewhere, written)))
    write_page(request.folder / "advice.html", [report], "Made by crossfeed advise.", _INTRODUCTION)
    report.files.append("advice.html")
    return report


_INTRODUCTION = (
    "Losses are measured. Forecasts, the growth factor and the effect of changing α come from a linear recursion of losses that is "
    "fitted to these runs from generation 1 on (docs/decide.md); what was measured beside them says how far they can be trusted."
)


def _in_use(name: str, value: float | None, held: Float[np.ndarray, " value"]) -> float:
    if value is None:
        if len(held) > 1:
            shown = ", ".join(f"{one:g}" for one in held)
            raise InvalidInput(f"{name} is missing: the runs have {shown}, so name the one in use with --{name}")
        return float(held[0])
    check_held(name, value, held.tolist())
    return value


def _refuse_unfinished(losses: xr.DataArray) -> None:
    """Refuse a cell of which no seed is finished."""
    reached = losses.notnull().all(("entity", "dataset"))
    if not reached.all("generation").any():
        most, last = int(reached.sum("generation").max()) - 1, int(losses.generation[-1])
        where = f"α = {float(losses.alpha):g}, β = {float(losses.beta):g}"
        begun = "has not begun" if most < 0 else f"has reached generation {most} of {last}"
        raise InvalidInput(f"the run at {where} is not finished: it {begun}; continue it with crossfeed lm run --resume")


Elsewhere = Mapping[tuple[float, float], Difference]
"""Last losses at other α and β against those in use, of every kind, by (α, β)."""


def _other_weights(losses: xr.DataArray, alpha: float, beta: float) -> Elsewhere:
    last = losses.isel(generation=-1)
    here = last.sel(alpha=alpha, beta=beta).values
    found = {}
    for a, b in product(losses.alpha.values.tolist(), losses.beta.values.tolist()):
        both = last.sel(alpha=a, beta=b).values - here
        both = both[np.isfinite(both).all((1, 2))]
        if (a, b) != (alpha, beta) and len(both):
            found[a, b] = difference(by_kind(both).mean(-1))
    return found


Similarities = tuple[Float[np.ndarray, " generation"], Float[np.ndarray, "seed generation"]]
"""Generations at which it was measured, and mean similarity of two models' completions."""


def _similarities(cell: xr.Dataset) -> Similarities | None:
    """None where there is a single model, or completions were not compared twice."""
    similarity = between_models(cell.similarity).mean("dataset").transpose("seed", "generation")
    similarity = similarity.dropna("generation", how="all").dropna("seed")
    if cell.sizes["entity"] < 2 or 0 in similarity.shape or similarity.sizes["generation"] < 2:
        return None
    return similarity.generation.values.astype(float), similarity.values


def _sentences(found: LossAdvice, elsewhere: Elsewhere, written: Similarities | None) -> list[str]:
    """The advice in words."""
    said = [_levels(found), *_gains(found)]
    said += [_said_of_similarity(*written)] if written else []
    return [*said, *_said_of_forecast(found), _said_of_stability(found), *_said_of_weights(found, elsewhere)]


def _levels(found: LossAdvice) -> str:
    now, ahead = by_kind(found.used[:, -1].mean(0)).mean(-1), found.forecast
    last, generations = found.used.shape[1] - 1, len(ahead.mean)
    told = "; ".join(
        f"{kind} {loss:.2f}" for kind, loss in zip(_of_entities(), now, strict=True) if np.isfinite(loss)
    )
    return f"Mean losses at generation {last}: {told} ({_seeds(len(found.used))}; forecasts reach generation {last + generations})."


def _of_entities() -> tuple[str, ...]:
    return ("own tasks", "others' tasks", "public text")


def _gains(found: LossAdvice) -> list[str]:
    said = [_said_of_gains("Compared with generation 0", found.since_start)]
    if found.over_alone is not None:
        said.append(_said_of_gains("Compared with training alone (α = 0)", found.over_alone))
    elif found.alpha > 0:
        said.append("No finished run has α = 0, so there is nothing to say of training alone.")
    return said


def _said_of_gains(situation: str, change: Difference) -> str:
    parts = []
    for kind, mean, told in zip(KINDS, change.mean, change.told, strict=True):
        if not np.isfinite(mean).all():
            continue
        gain, lose = (_listed(np.flatnonzero(told & (sign * mean < 0))) for sign in (1, -1))
        verbs = [f"{who} {verb}{'' if ',' in who else 's'}" for who, verb in ((gain, "gain"), (lose, "lose")) if who]
        parts.append(f"on {kind} {' and '.join(verbs) or 'no change is told from noise'} ({mean.mean():+.2f} on average)")
    return f"{situation}, {'; '.join(parts)}."


def _listed(entities: np.ndarray) -> str:
    """Models by number; empty if there are none."""
    names = [str(entity + 1) for entity in entities[:_SHOWN]]
    more = len(entities) - len(names)
    return f"model{'s' if len(entities) > 1 else ''} {', '.join(names)}{f', and {more} more' if more else ''}" * bool(names)


def _said_of_similarity(generations: Float[np.ndarray, " generation"], values: Float[np.ndarray, "seed generation"]) -> str:
    change = difference(values[:, -1] - values[:, 0])
    mean, margin = float(change.mean), float(change.margin)
    told = f"± {margin:.2f}" if np.isfinite(margin) else "one seed, so without an interval"
    way = ("more alike" if mean > 0 else "less alike") if change.told else "neither more nor less alike, as far as can be told"
    return (
        f"Completions became {way}: mean similarity of two models went from {values[:, 0].mean():.2f} at generation "
        f"{generations[0]:g} to {values[:, -1].mean():.2f} at {generations[-1]:g} (change {mean:+.2f}, {told})."
    )
