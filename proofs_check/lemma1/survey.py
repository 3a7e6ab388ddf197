"""Survey of Lemma 1 by many random trials, the extremal ones decided exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np

from crossfeed.errors import InvalidInput

from ..certified import Enclosure, certify
from .certificate import BoundCertificate, certify_bound
from .draws import OUTSIDE, Draw, Sizes
from .trials import Trials, draw_number, run_trials, trial_keys

ROUNDING = 1e-10
"""A trial whose slack is below minus this in float64 is decided exactly."""
EXCESS = 1e-6
"""Rounding error of ρ in ill-conditioned ecosystems: only ρ above one plus this counts as unstable."""
MOST_TRIALS = 10**8  # results are kept in memory, and trial numbers have 32 bits

_CHUNK = 16_384  # trials per call; progress is reported after each
_FEWEST_DECIDED, _MOST_DECIDED = 32, 512  # numbers of smallest slacks decided exactly


@dataclass(frozen=True)
class Extremal:
    """The trial within the condition with the smallest slack that was decided exactly.

    Attributes:
        number: number of the trial.
        drawn: its ecosystem.
        certificate: what is proved about it.
    """

    number: int
    drawn: Draw
    certificate: BoundCertificate


@dataclass(frozen=True)
class Worst:
    """The ecosystem outside the condition with the largest ρ(Q) that was decided exactly.

    Attributes:
        number: number of the trial.
        drawn: its ecosystem.
        enclosure: what is proved about ρ(Q).
    """

    number: int
    drawn: Draw
    enclosure: Enclosure


@dataclass(frozen=True)
class Survey:
    """Results of all trials; arrays have one entry per trial.

    Values are float64, except where a trial was decided exactly.

    Attributes:
        within: trials that satisfy the condition.
        outside: as many trials that violate it, some of which satisfy it by chance and have kind -1.
        radius_outside: ρ(Q) of the trials in `outside`.
        slack: bound - ρ(Q) of the trials in `within`.
        decided: number of trials decided exactly, by verdict; these have the smallest slacks.
        suspicious: number of slacks below -`ROUNDING` in float64; the `_MOST_DECIDED` smallest are decided exactly.
        extremal: the trial with the smallest slack within the condition.
        worst: the trial with the largest ρ(Q) outside it; None if every ecosystem satisfies the condition by chance.
    """

    within: Trials
    outside: Trials
    radius_outside: np.ndarray
    slack: np.ndarray
    decided: dict[str, int]
    suspicious: int
    extremal: Extremal
    worst: Worst | None

    @property
    def complaint(self) -> str:
        """Numbers of trials that violate the lemma or remain undecided; empty if there are none."""
        others = [
            f"{count} {verdict}" for verdict, count in self.decided.items() if verdict not in ("below", "attained")
        ]
        return ", ".join(others)

    def outside_of(self, kind: int) -> np.ndarray:
        """ρ(Q) of the trials that violate the condition in one way, given as an index into `draws.OUTSIDE`."""
        return self.radius_outside[self.outside.kind == kind]


def survey(seed: int, trials: int, sizes: Sizes, report: Callable[[int], None] = lambda done: None) -> Survey:
    """Results for `trials` random ecosystems within Lemma 1's condition and as many outside it.

    Args:
        seed: seed of the random ecosystems; the same seed gives the same results.
        trials: number of ecosystems of each kind.
        sizes: ranges of K and d.
        report: called with the number of finished trials, out of 2 × `trials`.

    Raises:
        InvalidInput: `trials` or `sizes` is out of range.
    """
    if not 1 <= trials <= MOST_TRIALS:
        raise InvalidInput(f"trials is {trials}, but must lie between 1 and {MOST_TRIALS}")
    sizes.check()
    within = _all_trials(seed, trials, sizes, True, report)
    outside = _all_trials(seed, trials, sizes, False, lambda done: report(trials + done))
    slack = np.asarray(within.bound) - np.asarray(within.spectral_radius)
    suspicious = int((~(slack >= -ROUNDING)).sum())
    count = min(trials, max(_FEWEST_DECIDED, min(suspicious, _MOST_DECIDED)))
    redraw = jax.jit(lambda number, within: draw_number(seed, number, sizes, within), static_argnums=1)
    extremals = []
    for number in np.argsort(slack, kind="stable")[:count]:
        drawn = redraw(int(number), True)
        extremals.append(Extremal(int(number), drawn, certify_bound(drawn)))
    for extremal in extremals:
        if extremal.certificate.verdict in ("below", "attained", "above"):
            slack[extremal.number] = np.mean(extremal.certificate.slack)
    verdicts = [extremal.certificate.verdict for extremal in extremals]
    radius, worst = _decide_outside(outside, redraw)
    return Survey(
        within,
        outside,
        radius,
        slack,
        {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)},
        suspicious,
        min(extremals, key=_rank),
        worst,
    )


def _decide_outside(outside: Trials, redraw: Callable[[int, bool], Draw]) -> tuple[np.ndarray, Worst | None]:
    """ρ(Q) of all trials outside the condition, the largest of each kind decided exactly; and the worst of these.

    The largest are decided exactly because float64 may lose a rank, which makes ρ(Q) far too large.
    """
    radius, decided = np.array(outside.spectral_radius), []
    for kind in range(len(OUTSIDE)):
        order = np.argsort(np.where(outside.kind == kind, -radius, np.inf), kind="stable")
        agreed = 0  # trials in which float64 was right: go on until it can be trusted
        for number in order[: min(_MOST_DECIDED, int((outside.kind == kind).sum()))]:
            drawn = redraw(int(number), False)
            enclosure = certify(*drawn.trimmed())
            decided.append(Worst(int(number), drawn, enclosure))
            if enclosure.verdict != "undecided":
                agreed += abs(radius[number] - enclosure.lower) < EXCESS
                radius[number] = (enclosure.lower + enclosure.upper) / 2
            if agreed == _FEWEST_DECIDED:
                break
    return radius, max(decided, key=lambda worst: worst.enclosure.lower, default=None)


def _rank(extremal: Extremal) -> tuple[float, int, int]:
    """Sort key: smallest proved slack first; of those that attain the bound, the largest ecosystem first."""
    slack = extremal.certificate.slack[0]
    return (-np.inf if np.isnan(slack) else slack, -int(extremal.drawn.entities), -int(extremal.drawn.features))


def _all_trials(seed: int, trials: int, sizes: Sizes, within: bool, report: Callable[[int], None]) -> Trials:
    """All trials within or outside the condition, run in chunks."""
    chunk = min(_CHUNK, trials)
    run = jax.jit(lambda first: run_trials(trial_keys(seed, first, chunk), sizes, within))
    parts = []
    for first in range(0, trials, chunk):
        parts.append(jax.tree.map(np.asarray, run(first)))
        report(min(first + chunk, trials))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:trials], *parts)
