"""Forecast of the losses of language models that train on each other's text, by a linear recursion fitted to runs.

The loss of entity k on dataset d at one generation changes by

    ΔL_kd = (1 - α)(p_kd - q L_kd) + α (s_kd - n L_kd + m L̄_d) + noise

with L̄_d the mean loss of all entities: real data draw it to p_kd/q, synthetic data to that of the pool. The rates q, n and m are
one each for losses on own tasks, on those of others, and on public text. The recursion of linear models has this form along each
eigenvector; for language models it is a description, to be held against naive forecasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from crossfeed.errors import InvalidInput

_PATHS = 1000
_LEVELS = (5, 95)
_RATES = 9  # q, n and m of own tasks, of those of others, and of public text
_LEAST_NOISE = 1e-8
_SETTLED = 1e-3
_ROUNDS = 50  # at most, of estimating the noise, the size of rates, and the fit that weighs by both


@dataclass(frozen=True)
class LossRun:
    """Losses of one run.

    Attributes:
        alpha: α in [0, 1], weight of synthetic data from generation 1 on.
        losses: at generations 0..T, or at the last of them; dataset k is the task of entity k, and those after the tasks of all
            entities are public.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import LossRun
        >>> LossRun(0.5, np.ones((5, 2, 3))).losses.shape
        (5, 2, 3)
    """

    alpha: float
    losses: Float[np.ndarray, "generation entity dataset"]


@dataclass(frozen=True)
class Forecast:
    """Losses of one run at the generations after its last.

    Attributes:
        mean: of the fitted recursion.
        low, high: ends of intervals of 90 %, which hold the noise of generations and the uncertainty of the fit.
        persistence: the last loss, at all generations.
        trend: a straight line through all losses of the run.

    Example:
        >>> from crossfeed.decide import Forecast
        >>> sorted(Forecast.__annotations__)
        ['high', 'low', 'mean', 'persistence', 'trend']
    """

    mean: Float[np.ndarray, "ahead entity dataset"]
    low: Float[np.ndarray, "ahead entity dataset"]
    high: Float[np.ndarray, "ahead entity dataset"]
    persistence: Float[np.ndarray, "ahead entity dataset"]
    trend: Float[np.ndarray, "ahead entity dataset"]


@dataclass(frozen=True)
class LossRecursion:
    """The recursion fitted to runs.

    Attributes:
        coefficients: p_kd and s_kd of every series, then q, n and m of own tasks, of those of others, and of public text.
        covariance: of the errors of the coefficients.
        noise: standard deviation of the noise of every series.
        freedom: degrees of freedom of the estimated noise of one series.
        alphas: the different α of the runs; with one alone, coefficients of real and of synthetic data cannot be told apart.

    Example:
        >>> from crossfeed.decide import LossRecursion
        >>> sorted(LossRecursion.__annotations__)
        ['alphas', 'coefficients', 'covariance', 'freedom', 'noise']
    """

    coefficients: Float[np.ndarray, " coefficient"]
    covariance: Float[np.ndarray, "coefficient coefficient"]
    noise: Float[np.ndarray, "entity dataset"]
    freedom: float
    alphas: tuple[float, ...]

    def forecast(self, run: LossRun, generations: int) -> Forecast:
        """Losses of a run at the generations after its last.

        Args:
            run: losses so far, of the same entities and datasets as those of the fit.
            generations: how many to forecast, at least 1.

        Raises:
            InvalidInput: the run has other entities or datasets, or there is nothing to forecast, or its α lies outside the range
                of the fitted runs.

        Example:
            >>> import numpy as np
            >>> from crossfeed.decide import LossRun, fit_losses
            >>> losses = 1 + 0.5 ** np.arange(6.0)[:, None, None] * np.array([[1.0], [2.0]])
            >>> run = LossRun(0.5, losses)
            >>> fit_losses([run]).forecast(run, 2).mean[:, 0, 0].round(3)
            array([1.016, 1.008])
        """
        paths = self.paths(run, generations)
        low, high = np.percentile(paths[1:], _LEVELS, axis=0)
        times = np.arange(len(run.losses)) - (len(run.losses) - 1) / 2
        slope = np.tensordot(times, run.losses, 1) / max((times**2).sum(), 1)
        later = (times[-1] + np.arange(1, generations + 1))[:, None, None]
        persistence = np.broadcast_to(run.losses[-1], low.shape)
        return Forecast(paths[0], low, high, persistence, run.losses.mean(0) + slope * later)

    def paths(self, run: LossRun, generations: int) -> Float[np.ndarray, "path ahead entity dataset"]:
        """Losses of a run at the generations after its last: that of the fit without noise, and 1000 random ones.

        The same random numbers are used at each call, so that paths from two α, or from two runs, differ by no more than these do.

        Args:
            run: as for `forecast`.
            generations: how many to forecast, at least 1.

        Raises:
            InvalidInput: as `forecast`.

        Example:
            >>> import numpy as np
            >>> from crossfeed.decide import LossRun, fit_losses
            >>> losses = 1 + 0.5 ** np.arange(6.0)[:, None, None] * np.array([[1.0], [2.0]])
            >>> run = LossRun(0.5, losses)
            >>> fit_losses([run]).paths(run, 2).shape
            (1001, 2, 2, 1)
        """
        self._check(run)
        if generations < 1:
            raise InvalidInput(f"generations is {generations}, but must be at least 1")
        self._check_alpha("alpha of the run", run.alpha)
        drawn, rng = self._draws(), np.random.default_rng(1)
        scale = self.noise / np.sqrt(rng.chisquare(self.freedom, (len(drawn), *self.noise.shape)) / self.freedom)
        scale[0] = 0  # the first path has no noise
        now, ahead = np.broadcast_to(run.losses[-1], (len(drawn), *run.losses.shape[1:])), []
        for _ in range(generations):
            noise = scale * rng.normal(size=now.shape)
            change = np.einsum("pekdc,pc->pekd", _design(run.alpha, now[:, None]), drawn)[:, 0]
            now = now + change + noise
            ahead.append(now)
        return np.stack(ahead, 1)

    def spectral_radius(self, alpha: float) -> tuple[float, float, float]:
        """Asymptotic growth factor of a deviation of losses per generation, below 1 where they settle, and its interval of 90 %.

        Args:
            alpha: within the range of the fitted runs.

        Raises:
            InvalidInput: it lies outside that range.

        Example:
            >>> import numpy as np
            >>> from crossfeed.decide import LossRun, fit_losses
            >>> losses = 1 + 0.5 ** np.arange(6.0)[:, None, None]
            >>> print(round(fit_losses([LossRun(0.5, losses)]).spectral_radius(0.5)[0], 3))
            0.5
        """
        self._check_alpha("alpha", alpha)
        entities, datasets = self.noise.shape
        # Constants do not matter: the change of a deviation of one entity's loss is what the design says without them.
        moves = np.broadcast_to(np.eye(entities)[:, None, :, None], (entities, 1, entities, datasets))
        rates = self._draws()[:, -_RATES:]
        change = np.einsum("jkdr,pr->pdkj", _design(alpha, moves)[:, 0, ..., -_RATES:], rates)
        radii = np.abs(np.linalg.eigvals(np.eye(entities) + change)).max((1, 2))
        low, high = np.percentile(radii[1:], _LEVELS)
        return float(radii[0]), float(low), float(high)

    def infer_alpha(self, run: LossRun) -> tuple[float, float]:
        """α of a run from its losses, whatever `run.alpha` says, and its standard error.

        Args:
            run: losses of the same entities and datasets as those of the fit.

        Raises:
            InvalidInput: the recursion was fitted to runs of a single α, which do not tell what real and what synthetic data do; or
                the run has other entities or datasets, or fewer than two generations.

        Example:
            >>> import numpy as np
            >>> from crossfeed.decide import LossRun, fit_losses
            >>> losses = 1 + 0.5 ** np.arange(6.0)[:, None, None] * np.array([[1.0], [2.0]])
            >>> fit_losses([LossRun(0.5, losses)]).infer_alpha(LossRun(0.5, losses))
            Traceback (most recent call last):
            ...
            crossfeed.errors.InvalidInput: runs of a single alpha do not tell what synthetic data do: fit at least two
        """
        if len(self.alphas) < 2:
            raise InvalidInput("runs of a single alpha do not tell what synthetic data do: fit at least two")
        self._check(run)
        if len(run.losses) < 2:
            raise InvalidInput("the run has 1 generation, but at least 2 are needed to see a change")
        real, synthetic = (
            _design(alpha, run.losses[None, :-1])[0] / self.noise[..., None] for alpha in (0.0, 1.0)
        )  # changes are these times the coefficients, in units of their noise
        effects = synthetic - real
        effect, rest = effects @ self.coefficients, np.diff(run.losses, axis=0) / self.noise - real @ self.coefficients
        information = (effect**2).sum()
        alpha = (effect * rest).sum() / information
        # Delta method: the coefficients have errors of their own.
        slope = (np.tensordot(rest - 2 * alpha * effect, effects, 3) - np.tensordot(effect, real, 3)) / information
        return float(alpha), float(np.sqrt(1 / information + slope @ self.covariance @ slope))

    def _draws(self) -> Float[np.ndarray, "path coefficient"]:
        """The coefficients, and others as likely as their errors."""
        rng = np.random.default_rng(0)
        drawn = rng.multivariate_normal(self.coefficients, self.covariance, _PATHS, method="eigh")
        return np.vstack([self.coefficients, drawn])

    def _check_alpha(self, name: str, alpha: float) -> None:
        low, high = self.alphas[0], self.alphas[-1]
        if not low <= alpha <= high:
            seen = f"all fitted runs have {low:.6g}" if low == high else f"fitted runs have {low:.6g} to {high:.6g}"
            raise InvalidInput(f"{name} is {alpha:.6g}, but {seen}, which says nothing of others")

    def _check(self, run: LossRun) -> None:
        _check_run(run)
        if run.losses.shape[1:] != self.noise.shape:
            raise InvalidInput(
                f"losses of the run have shape {run.losses.shape}, but the fit is of {self.noise.shape} entities and datasets"
            )


def loss_kinds(entities: int, datasets: int) -> dict[str, Bool[np.ndarray, "entity dataset"]]:
    """Which losses are on own tasks, on the tasks of others, and on public text.

    Args:
        entities: number of entities, whose tasks are the first datasets.
        datasets: number of datasets.

    Example:
        >>> from crossfeed.decide import loss_kinds
        >>> print(loss_kinds(2, 3)["others"])
        [[False  True False]
         [ True False False]]
    """
    own = np.eye(entities, datasets, dtype=bool)
    public = np.broadcast_to(np.arange(datasets) >= entities, own.shape)
    return {"own": own, "others": ~own & ~public, "public": public}


def fit_losses(runs: Sequence[LossRun]) -> LossRecursion:
    """The recursion of the losses fitted to runs together, by least squares weighted with the noise of each series.

    Rates have a Gaussian prior around 0, whose width is estimated with them: few generations alone would give wild ones.

    Args:
        runs: of the same entities and datasets; of at least two α, if what it does is to be told.

    Raises:
        InvalidInput: there is no run, runs differ in shape, a loss is not finite, an α lies outside [0, 1], or there are fewer
            changes than coefficients.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import LossRun, fit_losses
        >>> losses = 1 + 0.5 ** np.arange(6.0)[:, None, None] * np.array([[1.0], [2.0]])
        >>> fit_losses([LossRun(0.5, losses)]).alphas
        (0.5,)
    """
    if not runs:
        raise InvalidInput("there is no run to fit")
    for run in runs:
        _check_run(run)
        if run.losses.shape[1:] != runs[0].losses.shape[1:]:
            raise InvalidInput(
                f"losses have shapes {runs[0].losses.shape} and {run.losses.shape}, but runs must be alike"
            )
    design = np.concatenate([_design(run.alpha, run.losses[None, :-1])[0] for run in runs])
    change = np.concatenate([np.diff(run.losses, axis=0) for run in runs])
    alphas = tuple(sorted({run.alpha for run in runs}))
    count = np.linalg.matrix_rank(design.reshape(-1, design.shape[-1]))
    if change.size <= count:
        raise InvalidInput(f"runs hold {change.size} changes of losses, too few to fit {count} coefficients")
    noise, size = np.maximum(change.std(0), _LEAST_NOISE), 1.0
    coefficients, covariance, free = _posterior(design, change, noise, size)
    for _ in range(_ROUNDS):
        rest = ((change - design @ coefficients) ** 2).sum(0)
        noise = np.maximum(np.sqrt(rest / free), _LEAST_NOISE)
        last, size = size, np.sqrt((coefficients[-_RATES:] ** 2 + np.diag(covariance)[-_RATES:]).mean())  # EM
        coefficients, covariance, free = _posterior(design, change, noise, size)
        if abs(size - last) < _SETTLED * size:
            break
    return LossRecursion(coefficients, covariance, noise, free, alphas)


def _posterior(
    design: Float[np.ndarray, "change entity dataset coefficient"],
    change: Float[np.ndarray, "change entity dataset"],
    noise: Float[np.ndarray, "entity dataset"],
    size: float,
) -> tuple[Float[np.ndarray, " coefficient"], Float[np.ndarray, "coefficient coefficient"], float]:
    """Coefficients, their covariance, and degrees of freedom that are left per series, given noise and the width of the prior."""
    weighted = (design / noise[..., None]).reshape(-1, design.shape[-1])
    prior = np.eye(design.shape[-1])[-_RATES:] / size  # one row per rate, as if each had been seen to be 0
    solver = np.linalg.pinv(np.vstack([weighted, prior]), rcond=1e-10)
    of_changes = solver[:, : len(weighted)]
    free = max(1 - (of_changes.T * weighted).sum() / change.size, 1e-3) * len(change)
    return of_changes @ (change / noise).ravel(), solver @ solver.T, free


def _design(
    alpha: float, losses: Float[np.ndarray, "path generation entity dataset"]
) -> Float[np.ndarray, "path generation entity dataset coefficient"]:
    """What the change of each loss is linear in: own constants of real and synthetic data; and of each kind, -L twice, and L̄."""
    entities, datasets = losses.shape[2:]
    own = np.broadcast_to(
        np.eye(entities * datasets).reshape(entities, datasets, -1), (*losses.shape, entities * datasets)
    )
    mean = np.broadcast_to(losses.mean(2, keepdims=True), losses.shape)
    rates = np.stack([-(1 - alpha) * losses, -alpha * losses, alpha * mean], -1)
    shared = [mask[..., None] * rates for mask in loss_kinds(entities, datasets).values()]
    return np.concatenate([(1 - alpha) * own, alpha * own, *shared], -1)


def _check_run(run: LossRun) -> None:
    if run.losses.ndim != 3 or 0 in run.losses.shape:
        raise InvalidInput(f"losses must have shape (T+1, entities, datasets), but have shape {run.losses.shape}")
    if not np.isfinite(run.losses).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(run.losses))[0])
        raise InvalidInput(f"losses{list(place)} is {run.losses[place]}, but must be a finite number")
    if not 0 <= run.alpha <= 1:
        raise InvalidInput(f"alpha of a run is {run.alpha:.6g}, but must lie in [0, 1]")
