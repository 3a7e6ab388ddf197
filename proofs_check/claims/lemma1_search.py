"""Lemma 1 searched by random ecosystems, its bound attained, and what holds for β > λ; extremal ecosystems decided exactly."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flint import fmpq
from jaxtyping import Array

from ...sim import spread
from ...theory import lemma1_bound
from ..certified import enclose_spectral_radius
from ..ledger import Finding, check
from ..lemma1 import (
    OUTSIDE,
    Sizes,
    compare_with_bound,
    draw_number,
    draw_outside,
    draw_within,
    radius_of,
    trial_keys,
)
from ..rational import consensus_feedback, rational, rational_ecosystem

_SEED, _TRIALS, _SIZES = 4, 4096, Sizes(1, 8, 1, 8)
_DECIDED = 16  # of the smallest slacks
_TILE = 256
_UNRELATED, _LARGE_BETA = range(len(OUTSIDE))


class _Drawn(NamedTuple):
    """ρ(Q) of every trial and what bounds are made of: εδ, δ and θ."""

    radius: Array
    epsilon_delta: Array
    delta: Array
    theta: Array
    kind: Array


@cache
def _trials(within: bool) -> _Drawn:
    def one(key):
        drawn = (draw_within if within else draw_outside)(key, _SIZES)
        alpha, beta, mixing, scale = drawn.weights.alpha, drawn.weights.beta, drawn.mixing, drawn.scale
        bound = lemma1_bound(drawn.ecosystem, alpha, beta, mixing, scale)
        delta = (1 - alpha) * beta * scale / (alpha * mixing)
        theta = jnp.maximum(0, (beta - mixing) / (beta * jnp.where(mixing < 1, 1 - mixing, 1)))
        return _Drawn(radius_of(drawn.ecosystem, drawn.weights), 1 / bound - 1, delta, theta, drawn.kind)

    keys = trial_keys(_SEED, 0, _TRIALS)
    return jax.tree.map(np.asarray, jax.jit(lambda keys: spread(one, keys, tile=_TILE))(keys))


def _exact(number: int, within: bool):
    """The ecosystem of a trial, its λ and γ, all rational."""
    drawn = draw_number(_SEED, int(number), _SIZES, within)
    return rational_ecosystem(*drawn.trimmed()), rational(float(drawn.mixing)), rational(float(drawn.scale))


def _smallest(slack, among) -> np.ndarray:
    """Numbers of the trials with the smallest slack."""
    return np.argsort(np.where(among & np.isfinite(slack), slack, np.inf), kind="stable")[:_DECIDED]


class Condition(NamedTuple):
    """Of Lemma 1, whole or weakened; and the factor of εδ in its bound."""

    beta_at_most_mixing: bool = True
    mixture: bool = True
    factor: fmpq = fmpq(1)


@check(
    "lemma1.searched",
    "searched",
    Condition(),
    mutations={
        "β > λ": Condition(beta_at_most_mixing=False),
        "S no mixture of S~ and S_*": Condition(mixture=False),
        "2 εδ": Condition(factor=fmpq(2)),
    },
    quick=False,
)
def never_violated(formula) -> Finding:
    """ρ(Q) against 1/(1 + εδ) for 4096 random ecosystems within the condition (K, d ≤ 8, ranks from 1, singular S_*, λ = 1 and
    β = λ among them, half ill-conditioned), drawn without rounding; smallest slacks and counterexamples decided exactly."""
    if not formula.mixture:
        worst = int(np.argmax(np.where(_trials(False).kind == _UNRELATED, _trials(False).radius, 0)))
        ecosystem = rational_ecosystem(*draw_number(_SEED, worst, _SIZES, False).trimmed())
        enclosure = enclose_spectral_radius(consensus_feedback(ecosystem))
        return Finding(
            enclosure.verdict != "unstable", f"ρ(Q) ≥ {enclosure.lower:.6f} is certified for unrelated prompts"
        )
    within = formula.beta_at_most_mixing
    drawn = _trials(within)
    among = np.ones(_TRIALS, bool) if within else drawn.kind == _LARGE_BETA
    slack = 1 / (1 + float(formula.factor) * drawn.epsilon_delta) - drawn.radius
    verdicts = []
    for number in _smallest(slack, among):
        verdict, gap = compare_with_bound(*_exact(number, within), formula.factor)
        if verdict == "above":
            return Finding(False, f"trial {number} is certified to lie above the bound, by at least {-gap[1]:.3g}")
        verdicts.append(verdict)
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    holds = None if "undecided" in verdicts else True
    return Finding(
        holds, f"{among.sum()} ecosystems, none above the bound; the {len(verdicts)} nearest to it exactly: {counts}"
    )


@check(
    "lemma1.attained",
    "certified",
    fmpq(1),
    mutations={"1.01 εδ": fmpq(101, 100), "0.99 εδ": fmpq(99, 100)},
    quick=False,
)
def attained(formula) -> Finding:
    """The trials with the smallest slack and K ≥ 2: whether the characteristic polynomial of H and that of the ε blocks, carried
    over by x → 1/(1+δx), share the root of largest modulus."""
    drawn = _trials(True)
    for number in _smallest(1 / (1 + drawn.epsilon_delta) - drawn.radius, np.ones(_TRIALS, bool)):
        ecosystem, mixing, scale = _exact(number, True)
        if len(ecosystem.shares) > 1 and compare_with_bound(ecosystem, mixing, scale, formula)[0] == "attained":
            return Finding(
                True,
                f"ρ(Q) is the bound itself in trial {number}: K = {len(ecosystem.shares)}, d = {ecosystem.public.nrows()}",
            )
    return Finding(False, "no trial has the bound for its spectral radius")


def _extended(theta, delta):
    inner = 1 / (1 + (1 - theta) * delta)
    return np.maximum(theta, inner) if isinstance(theta, np.ndarray) else max(theta, inner)


@check(
    "lemma1.extended",
    "searched",
    _extended,
    mutations={
        "θ = 0": lambda theta, delta: 1 / (1 + delta),
        "2δ": lambda theta, delta: _extended(theta, 2 * delta),
        "θ alone": lambda theta, delta: theta,
    },
    quick=False,
)
def beyond_the_condition(formula) -> Finding:
    """ρ(Q) against the bound for 4096 random ecosystems with β ≤ λ and some 2000 with β > λ; the bound r is rational, so that the
    nearest are decided exactly by ρ(Q/r) ≤ 1."""
    total, proved = 0, 0
    for within in (True, False):
        drawn = _trials(within)
        among = np.ones(_TRIALS, bool) if within else drawn.kind == _LARGE_BETA
        slack = formula(drawn.theta, drawn.delta) - drawn.radius
        for number in _smallest(slack, among):
            ecosystem, mixing, scale = _exact(number, within)
            alpha, beta = ecosystem.alpha[0], ecosystem.beta[0]
            delta = (1 - alpha) * beta * scale / (alpha * mixing)
            theta = (beta - mixing) / (beta * (1 - mixing)) if beta > mixing else fmpq(0)
            bound = fmpq(formula(theta, delta))
            feedback = consensus_feedback(ecosystem)
            enclosure = enclose_spectral_radius(feedback / bound) if bound > 0 else None
            if enclosure is None or enclosure.verdict == "unstable":
                return Finding(
                    False, f"trial {number} ({'β ≤ λ' if within else 'β > λ'}) is certified to lie above the bound"
                )
            proved += enclosure.verdict in ("stable", "unit")
        total += int((among & np.isfinite(slack)).sum())
    return Finding(
        True if proved else None,
        f"{total} ecosystems, none above the bound; the {proved} nearest to it decided exactly",
    )
