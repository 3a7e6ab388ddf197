"""Any number of trials of Lemma 1, the smallest slacks decided exactly, and the worst ecosystem outside the condition."""

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
"""A slack below minus this is not left to float64's word."""
EXCESS = 1e-6
"""ρ above one by less is not counted as growth: ill-conditioned ecosystems round by as much."""
MOST_TRIALS = 10**8  # results are kept in memory, and a trial's number has 32 bits

_CHUNK = 16_384  # trials in one go: between two of them the progress bar moves
_FEWEST_DECIDED, _MOST_DECIDED = 32, 512  # of the smallest slacks


@dataclass(frozen=True)
class Extremal:
    """The trial with the smallest slack that was decided exactly.

    Attributes:
        number: of the trial.
        drawn: its ecosystem.
        certificate: what is proved of it.
    """

    number: int
    drawn: Draw
    certificate: BoundCertificate


@dataclass(frozen=True)
class Worst:
    """The ecosystem outside the condition with the largest ρ(Q) that was decided exactly.

    Attributes:
        number: of the trial.
        drawn: its ecosystem.
        enclosure: what is proved of ρ(Q).
    """

    number: int
    drawn: Draw
    enclosure: Enclosure


@dataclass(frozen=True)
class Survey:
    """What all trials say; arrays have one entry a trial.

    Attributes:
        within: trials that satisfy the condition.
        outside: as many that do not, but for those that do by chance, of kind -1.
        radius_outside: ρ(Q) of these; in float64, but for the largest, which were decided exactly.
        slack: bound - ρ(Q) of every trial within the condition; in float64, but for those decided exactly.
        decided: how many of the smallest slacks were decided exactly, and as what.
        suspicious: how many slacks are below -`ROUNDING` in float64; the smallest `_MOST_DECIDED` are among the decided.
        extremal: within the condition.
        worst: outside it; None if every ecosystem satisfies the condition by chance.
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
        """What speaks against the lemma, or was left undecided; empty where every trial that was in doubt obeys it."""
        others = [
            f"{count} {verdict}" for verdict, count in self.decided.items() if verdict not in ("below", "attained")
        ]
        return ", ".join(others)

    def outside_of(self, kind: int) -> np.ndarray:
        """ρ(Q) of the trials that leave the condition in one way, an index of `draws.OUTSIDE`."""
        return self.radius_outside[self.outside.kind == kind]


def survey(seed: int, trials: int, sizes: Sizes, report: Callable[[int], None] = lambda done: None) -> Survey:
    """Draw `trials` ecosystems within Lemma 1's condition and as many outside; the same for the same seed.

    Args:
        report: is told how many of the 2 × `trials` are done.

    Raises:
        InvalidInput: a number of trials or sizes outside their range.
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
    """ρ(Q) with the largest of each kind decided exactly, since float64 may have lost a rank there; and the largest of these."""
    radius, decided = np.array(outside.spectral_radius), []
    for kind in range(len(OUTSIDE)):
        order = np.argsort(np.where(outside.kind == kind, -radius, np.inf), kind="stable")
        agreed = 0  # a lost rank puts a trial far too high: go on until float64 can be trusted
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
    """Smallest proved slack first; of those that attain the bound, one of many entities and features."""
    slack = extremal.certificate.slack[0]
    return (-np.inf if np.isnan(slack) else slack, -int(extremal.drawn.entities), -int(extremal.drawn.features))


def _all_trials(seed: int, trials: int, sizes: Sizes, within: bool, report: Callable[[int], None]) -> Trials:
    chunk = min(_CHUNK, trials)
    run = jax.jit(lambda first: run_trials(trial_keys(seed, first, chunk), sizes, within))
    parts = []
    for first in range(0, trials, chunk):
        parts.append(jax.tree.map(np.asarray, run(first)))
        report(min(first + chunk, trials))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:trials], *parts)
