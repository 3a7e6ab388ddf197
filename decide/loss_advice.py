"""Advice on language models that train on each other's text, from the losses of their runs: who gains, and what comes next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm, t

from crossfeed.errors import InvalidInput

from .forecast import Forecast, LossRecursion, LossRun, fit_losses, loss_kinds

_FIRST = 1  # generation at which fits begin: the first exchange moves losses more than the next few together
_LEAST = 4  # generations after the first training
_LEAST_SEEN = 3  # last generation of the shorter fit that is tested on what came
_GRID = 21  # values of α
_LEVELS = (5, 95)
_SURE = 0.975


@dataclass(frozen=True)
class Difference:
    """Differences of mean losses between two situations of the same seeds.

    Attributes:
        mean: over seeds, in nats per token; NaN where there is nothing to compare.
        margin: half the width of an interval of 95 %: by Student's t over seeds, or by the noise of one generation if there is one
            seed.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import Difference
        >>> Difference(np.array([-0.2, 0.01]), np.array([0.1, 0.1])).told
        array([ True, False])
    """

    mean: Float[np.ndarray, "..."]
    margin: Float[np.ndarray, "..."]

    @property
    def told(self) -> Bool[np.ndarray, "..."]:
        """Whether the difference exceeds its margin."""
        return np.abs(self.mean) > self.margin


@dataclass(frozen=True)
class Backtest:
    """How well the later losses of the same runs are forecast from the earlier ones.

    Attributes:
        seen: last generation that the fit saw.
        forecast: root mean square error of the recursion by kind of loss, in nats per token.
        persistence: that of taking the last loss seen.
        covered: share of losses within intervals of 90 %.

    Example:
        >>> from crossfeed.decide import Backtest
        >>> sorted(Backtest.__annotations__)
        ['covered', 'forecast', 'persistence', 'seen']
    """

    seen: int
    forecast: Float[np.ndarray, " kind"]
    persistence: Float[np.ndarray, " kind"]
    covered: Float[np.ndarray, " kind"]


@dataclass(frozen=True)
class Expected:
    """What the fitted recursion says of mean losses over entities, by kind.

    Attributes:
        mean: of the fit.
        low, high: ends of intervals of 90 %, for one run.

    Example:
        >>> from crossfeed.decide import Expected
        >>> sorted(Expected.__annotations__)
        ['high', 'low', 'mean']
    """

    mean: Float[np.ndarray, "place kind"]
    low: Float[np.ndarray, "place kind"]
    high: Float[np.ndarray, "place kind"]


@dataclass(frozen=True)
class LossRuns:
    """Losses of runs that differ in seed, α and β.

    Attributes:
        losses: at generations 0..T; NaN where a run has not got there. Dataset k is the task of entity k, and those after the
            tasks of all entities are public.
        alphas, betas: weights of the runs.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import LossRuns
        >>> LossRuns(np.ones((3, 2, 1, 15, 4, 5)), (0.0, 0.5), (0.5,)).finished.shape
        (3, 2, 1)
    """

    losses: Float[np.ndarray, "seed alpha beta generation entity dataset"]
    alphas: tuple[float, ...]
    betas: tuple[float, ...]

    @property
    def finished(self) -> Bool[np.ndarray, "seed alpha beta"]:
        """Which runs have all losses."""
        return np.asarray(np.isfinite(self.losses).all((3, 4, 5)))


@dataclass(frozen=True)
class LossAdvice:
    """What the losses of runs say of the weights in use. Kinds of losses are those of `loss_kinds`; NaN where there are none.

    Attributes:
        alpha, beta: in use.
        used: losses of the finished seeds there.
        recursion: fitted to all finished runs with this β, from generation 1.
        forecast: from the mean over seeds, for T/2 generations; its intervals are those of one run.
        expected: the same by generation and kind.
        spectral_radius: of the recursion at this α, and its interval of 90 %.
        since_start: last losses against those of generation 0, of every kind and entity.
        over_alone: last losses against those of the same seeds at α = 0; None without these.
        elsewhere: last mean losses by kind at other weights (α, β), against those in use.
        backtest: None if the runs are too short.
        alphas: between the smallest and largest α of the runs; empty if these are one, from which nothing follows for others.
        changed: by how much changing α to one of these after generation T would change losses at the end of the forecast.

    Example:
        >>> from crossfeed.decide import LossAdvice
        >>> "over_alone" in LossAdvice.__annotations__
        True
    """

    alpha: float
    beta: float
    used: Float[np.ndarray, "seed generation entity dataset"]
    recursion: LossRecursion
    forecast: Forecast
    expected: Expected
    spectral_radius: tuple[float, float, float]
    since_start: Difference
    over_alone: Difference | None
    elsewhere: Mapping[tuple[float, float], Difference]
    backtest: Backtest | None
    alphas: Float[np.ndarray, " alpha"]
    changed: Expected


def advise_on_losses(runs: LossRuns, alpha: float, beta: float) -> LossAdvice:
    """What the losses of runs say of weights: who gains and loses, what comes next, whether losses settle, what other α would do.

    Args:
        runs: all runs, some of them with these weights.
        alpha: the α in use.
        beta: the β in use.

    Raises:
        InvalidInput: no run has these weights, none that has them is finished, or runs have fewer than 4 generations after
            generation 0.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import LossRuns, advise_on_losses
        >>> falling = 0.5 ** np.arange(9.0)[:, None, None]
        >>> losses = np.array([[[1 + falling], [2 + falling]]])  # of one seed, entity and dataset, at two α
        >>> found = advise_on_losses(LossRuns(losses, (0.0, 0.5), (1.0,)), 0.5, 1.0)
        >>> print(found.over_alone.mean[0])  # on its own task
        [1.]
    """
    for name, value, held in (("alpha", alpha, runs.alphas), ("beta", beta, runs.betas)):
        if value not in held:
            raise InvalidInput(f"{name} is {value:.6g}, but runs have {', '.join(f'{one:.6g}' for one in held)}")
    last = runs.losses.shape[3] - 1
    if last < _LEAST:
        raise InvalidInput(f"runs have {last} generations after generation 0, but at least {_LEAST} are needed")
    here = runs.alphas.index(alpha), runs.betas.index(beta)
    used = runs.losses[:, *here][runs.finished[:, *here]]
    if not len(used):
        raise InvalidInput(f"no run with alpha {alpha:.6g} and beta {beta:.6g} is finished")
    alike = [
        LossRun(runs.alphas[at], runs.losses[seed, at, here[1]])
        for seed, at in np.argwhere(runs.finished[:, :, here[1]])
    ]
    recursion = fit_losses([_from_first(run, last) for run in alike])
    now, ahead = LossRun(alpha, used.mean(0)[_FIRST:]), last // 2
    elsewhere = _elsewhere(runs, here)
    several = len(recursion.alphas) > 1
    alphas = np.linspace(recursion.alphas[0], recursion.alphas[-1], _GRID) if several else np.empty(0)
    return LossAdvice(
        alpha=alpha,
        beta=beta,
        used=used,
        recursion=recursion,
        forecast=recursion.forecast(now, ahead),
        expected=_expected(_mean_paths(recursion, now, ahead)),
        spectral_radius=recursion.spectral_radius(alpha),
        since_start=_difference(used[:, -1] - used[:, 0], recursion),
        over_alone=_difference(-elsewhere[0.0, beta], recursion) if (0.0, beta) in elsewhere else None,
        elsewhere={weights: _overall_difference(one, recursion) for weights, one in elsewhere.items()},
        backtest=_backtest(alike, alpha, last),
        alphas=alphas,
        changed=_changed(recursion, now, ahead, alphas),
    )


def by_kind(losses: Float[np.ndarray, "*batch entity dataset"]) -> Float[np.ndarray, "*batch kind entity"]:
    """Mean losses of every entity on its own task, on those of others, and on public text; NaN where it has none.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import by_kind
        >>> print(by_kind(np.array([[1.0, 5.0, 3.0], [6.0, 2.0, 4.0]])))
        [[1. 2.]
         [5. 6.]
         [3. 4.]]
    """
    means = []
    for mask in loss_kinds(*losses.shape[-2:]).values():
        count = mask.sum(1)
        means.append(np.where(count > 0, (losses * mask).sum(-1) / np.maximum(count, 1), np.nan))
    return np.stack(means, -2)


def difference(differences: Float[np.ndarray, "seed ..."], noise: Float[np.ndarray, "..."]) -> Difference:
    """Mean of differences over seeds with its margin.

    Args:
        differences: of each seed.
        noise: standard deviation of what is compared, by which a single seed is judged.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import difference
        >>> found = difference(np.array([[-0.2], [-0.3], [-0.25]]), np.array([0.1]))
        >>> print(found.mean.round(2), found.margin.round(3))
        [-0.25] [0.124]
    """
    seeds = len(differences)
    if seeds > 1:
        margin = t.ppf(_SURE, seeds - 1) * differences.std(0, ddof=1) / np.sqrt(seeds)
    else:
        margin = norm.ppf(_SURE) * np.sqrt(2) * noise
    return Difference(differences.mean(0), np.broadcast_to(margin, differences.shape[1:]))


def _from_first(run: LossRun, last: int) -> LossRun:
    return LossRun(run.alpha, run.losses[_FIRST : last + 1])


def _difference(differences: Float[np.ndarray, "seed entity dataset"], recursion: LossRecursion) -> Difference:
    """Of every kind and entity."""
    return difference(by_kind(differences), np.sqrt(_variances(recursion)))


def _overall_difference(differences: Float[np.ndarray, "seed entity dataset"], recursion: LossRecursion) -> Difference:
    """Of every kind, mean over entities."""
    variances = _variances(recursion)
    return difference(by_kind(differences).mean(-1), np.sqrt(variances.mean(-1) / variances.shape[-1]))


def _variances(recursion: LossRecursion) -> Float[np.ndarray, "kind entity"]:
    """Of the means that `by_kind` takes, from the noise of one generation."""
    counts = np.stack([mask.sum(1) for mask in loss_kinds(*recursion.noise.shape).values()])
    return by_kind(recursion.noise**2) / np.maximum(counts, 1)


def _elsewhere(
    runs: LossRuns, here: tuple[int, int]
) -> dict[tuple[float, float], Float[np.ndarray, "seed entity dataset"]]:
    """Last losses at other weights against those in use, of the seeds that both have finished."""
    found = {}
    for there in np.ndindex(len(runs.alphas), len(runs.betas)):
        both = runs.finished[:, *here] & runs.finished[:, *there]
        if there != here and both.any():
            weights = runs.alphas[there[0]], runs.betas[there[1]]
            found[weights] = (runs.losses[:, *there, -1] - runs.losses[:, *here, -1])[both]
    return found


def _backtest(runs: Sequence[LossRun], alpha: float, last: int) -> Backtest | None:
    """Forecasts of the second half of all runs of this α, from a fit to the first half of all."""
    seen = (last + 1) // 2
    if seen < _LEAST_SEEN:
        return None
    recursion = fit_losses([_from_first(run, seen) for run in runs])
    tested = [run for run in runs if run.alpha == alpha]
    came = np.array([run.losses[seen + 1 :] for run in tested])
    found = [recursion.forecast(_from_first(run, seen), last - seen) for run in tested]
    held = [(one.low < true) & (true < one.high) for one, true in zip(found, came, strict=True)]

    def error(forecasts: list[Float[np.ndarray, "ahead entity dataset"]]) -> Float[np.ndarray, " kind"]:
        return np.sqrt(_mean_by_kind((np.array(forecasts) - came) ** 2))

    return Backtest(
        seen,
        error([one.mean for one in found]),
        error([one.persistence for one in found]),
        _mean_by_kind(np.array(held, float)),
    )


def _mean_by_kind(values: Float[np.ndarray, "run ahead entity dataset"]) -> Float[np.ndarray, " kind"]:
    """Mean over all losses of a kind."""
    return by_kind(values.mean((0, 1))).mean(-1)


def _mean_paths(recursion: LossRecursion, run: LossRun, ahead: int) -> Float[np.ndarray, "path ahead kind"]:
    return by_kind(recursion.paths(run, ahead)).mean(-1)


def _expected(paths: Float[np.ndarray, "path place kind"]) -> Expected:
    return Expected(paths[0], *np.percentile(paths[1:], _LEVELS, axis=0))


def _changed(recursion: LossRecursion, now: LossRun, ahead: int, alphas: Float[np.ndarray, " alpha"]) -> Expected:
    """Changes at the end of the forecast; the noise is the same with and without, so that it does not blur them."""
    kept = _mean_paths(recursion, now, ahead)[:, -1]
    changes = [_mean_paths(recursion, LossRun(float(a), now.losses), ahead)[:, -1] - kept for a in alphas]
    return _expected(np.stack(changes, 1) if changes else np.empty((len(kept), 0, kept.shape[1])))
