"""What makes an ecosystem safe: knowledge, public data, and which theorem sees it."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfeed.random_keys import seeded_key

from ...theory import (
    Ecosystem,
    Weights,
    anchor_bound,
    ecosystem_from_grams,
    knowledge_bound,
    sharp_knowledge_bound,
    spectral_radius,
    worst_case,
)
from ..report import Report, Request, save
from ..settings import Draws, Points, Positive, Seed, Within
from ..style import DASHES, SERIES, color, grid_of_axes, line, small_font, styled, wide_line
from ..workflows.table import table_of_panels

_BOUNDS = ("Theorem K", "Theorem K, sharp", "anchor", "anchor, any private data")


@dataclass(frozen=True)
class Settings:
    """Settings of the figure; safety.toml says what they are and holds the shipped ones."""

    seed: Seed
    counts: Annotated[tuple[int, ...], Within(2, 10**6, longest=SERIES)]
    entities: Annotated[int, Within(2, 50)]
    draws: Draws
    spread: Annotated[float, Within(0, 100)]
    known: Annotated[float, Within(0, 1e6)]
    misaligned: Positive
    public: Positive
    points: Points


@dataclass(frozen=True)
class Safety:
    """The numbers of the figure.

    Attributes:
        anchor: values of t.
        kappa: for each K, the κ at which the sharp bound is one.
        random: t, κ and ρ(Q) of random ecosystems.
        alpha: values of α of the plane.
        beta: values of β of the plane.
        radius: ρ(Q) on the plane.
        bounds: bounds of it, in the order of `_BOUNDS`.
        entities: values of m.
        public: public weight in units of the synthetic one that makes divergence impossible.
    """

    anchor: Float[np.ndarray, " t"]
    kappa: Float[np.ndarray, "count t"]
    random: Float[np.ndarray, "3 draw"]
    alpha: Float[np.ndarray, " alpha"]
    beta: Float[np.ndarray, " beta"]
    radius: Float[np.ndarray, "beta alpha"]
    bounds: Float[np.ndarray, "bound beta alpha"]
    entities: np.ndarray
    public: Float[np.ndarray, " m"]


def edge(entities: int, anchor: np.ndarray) -> Float[np.ndarray, " t"]:
    """κ at which the sharp bound is one, [1 + √(K + (K-1)k)] = 2(1+k)(1+t) with k = Kκ/(1+t); zero if t alone suffices."""
    shares = jnp.full(entities, 1 / entities)

    def bound(kappa: Float[Array, ""], t: Float[Array, ""]) -> Float[Array, ""]:
        return sharp_knowledge_bound(jnp.full(entities, kappa), shares, t)

    def halve(_: Array, ends: tuple[Array, Array], t: Array) -> tuple[Array, Array]:
        middle = (ends[0] + ends[1]) / 2
        above = bound(middle, t) > 1
        return jnp.where(above, middle, ends[0]), jnp.where(above, ends[1], middle)

    def of(t: Float[Array, ""]) -> Float[Array, ""]:
        ends = jax.lax.fori_loop(0, 50, lambda i, ends: halve(i, ends, t), (jnp.zeros(()), jnp.ones(())))
        return ends[1]

    return np.asarray(jax.jit(jax.vmap(of))(jnp.asarray(anchor)))


def plane_ecosystem(settings: Settings) -> Ecosystem:
    """Entities that know a part of what they publish, much of what they do not, and some public data."""
    worst = worst_case(settings.entities, settings.misaligned)
    identity = jnp.eye(settings.entities)
    return ecosystem_from_grams(
        worst.private.gram + settings.known * worst.synthetic.gram, settings.public * identity, worst.synthetic.gram
    )


def compute(settings: Settings) -> Safety:
    """Exact numbers of all panels."""
    anchor = np.linspace(0, 0.6, 61)
    alpha, beta = np.linspace(0.02, 0.98, settings.points), np.linspace(0.02, 1, settings.points)
    ecosystem = plane_ecosystem(settings)

    def at(alpha: Float[Array, ""], beta: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, " bound"]]:
        weights = Weights(alpha, beta)
        known, public = knowledge_bound(ecosystem, weights), anchor_bound(ecosystem, weights)
        bounds = jnp.stack([known.bound, known.sharp, public.bound, public.bound_any_private])
        return spectral_radius(ecosystem, weights), bounds

    grid = jax.jit(jax.vmap(jax.vmap(at, (0, None)), (None, 0)))
    radius, bounds = grid(jnp.asarray(alpha), jnp.asarray(beta))
    entities = np.geomspace(2, 1000, 50)
    return Safety(
        anchor=anchor,
        kappa=np.stack([edge(count, anchor) for count in settings.counts]),
        random=_random(settings),
        alpha=alpha,
        beta=beta,
        radius=np.asarray(radius),
        bounds=np.moveaxis(np.asarray(bounds), -1, 0),
        entities=entities,
        public=(np.sqrt(entities) - 1) / 2,
    )


def _random(settings: Settings) -> Float[np.ndarray, "3 draw"]:
    """t, κ and ρ(Q) of random ecosystems with disjoint prompts that know κ of them, public data, and a direction of their own."""

    count = settings.entities

    def of(key: Array) -> Float[Array, " 3"]:
        first, second, third = jax.random.split(key, 3)
        t, kappa = 0.6 * jax.random.uniform(first, dtype=float), 0.3 * jax.random.uniform(second, dtype=float)
        published = worst_case(count, 1.0).synthetic.gram
        worst = jnp.eye(count) - 1 / np.sqrt(count)
        own = worst + settings.spread * jax.random.normal(third, (count, count), dtype=float)
        private = kappa * published + 1e4 * jnp.einsum("ki,kj->kij", own, own)
        ecosystem = ecosystem_from_grams(private, t * jnp.eye(count), published)
        return jnp.stack([t, kappa, spectral_radius(ecosystem, Weights(1 / 3, 0.5))])  # ā/α · 1/2 = 1

    return np.asarray(jax.jit(jax.vmap(of))(jax.random.split(seeded_key(settings.seed), settings.draws))).T


def draw(request: Request, settings: Settings) -> Report:
    """Write the phase diagram of knowledge and public data, the regions of all conditions, and the public weight against m."""
    found = compute(settings)
    columns = table_of_panels(
        {
            "edge": {"entities": np.array(settings.counts)[:, None], "anchor": found.anchor, "kappa": found.kappa},
            "random": {"anchor": found.random[0], "kappa": found.random[1], "spectral_radius": found.random[2]},
            "plane": {
                "alpha": found.alpha,
                "beta": found.beta[:, None],
                "spectral_radius": found.radius,
                **dict(zip(_BOUNDS, found.bounds, strict=True)),
            },
            "public": {"entities": found.entities, "anchor": found.public},
        }
    )
    stable = found.radius < 1
    seen = {name: float((bound[stable] < 1).mean()) for name, bound in zip(_BOUNDS, found.bounds, strict=True)}
    wrong = int(sum(((bound < 1) & ~stable).sum() for bound in found.bounds))
    beyond = found.random[1] > np.interp(found.random[0], found.anchor, edge(settings.entities, found.anchor))
    report = Report(
        "stability_safety",
        "What makes an ecosystem safe",
        "Who knows a quarter of what it publishes cannot diverge, whatever the number of models; public data replace knowledge, "
        f"but more of them are needed the more models there are. Of {int(beyond.sum())} random ecosystems beyond the sharp edge "
        f"{int((found.random[2][beyond] > 1).sum())} grow. In the plane, the theorems see "
        + ", ".join(f"{share:.0%} ({name})" for name, share in seen.items())
        + f" of the stable region, and are wrong {wrong} times.",
        f"Exact. Left: R_j ⪰ κS_j + tS̲; random: K = {settings.entities}, disjoint prompts, one direction near "
        f"that of the worst case known very well (seed {settings.seed}). Middle: K = d = {settings.entities}, the "
        "worst case with private data of size "
        f"{settings.misaligned:g}, {settings.known:g} S_j and public data {settings.public:g} I. Right: t = āb̄s/α, "
        "supremum over prompts and private data.",
        {"share_of_stable_region": seen, "contradictions": wrong},
    )
    return save(request, report, _figure(found, settings), columns)


def _figure(found: Safety, settings: Settings) -> Figure:
    with styled():
        figure, ((edges, plane, public),) = grid_of_axes(1, 3, (11.5, 4.0))
        _draw_edges(edges, found, settings)
        _draw_plane(plane, found)
        line(public, 0, found.entities, found.public, "impossible above: (√m - 1)/2")
        public.fill_between(found.entities, found.public, 1e-1, color="#dddddd", label="some ecosystem diverges")
        public.set(xscale="log", yscale="log", xlabel="m, number of entities", ylim=(0.1, 20))
        public.set(ylabel="t, public weight over synthetic weight", title="public data that exclude divergence")
        public.legend(loc="upper left")
    return figure


def _draw_edges(panel: Axes, found: Safety, settings: Settings) -> None:
    """Curves of the sharp bound over t and κ, Theorem K, and random ecosystems."""
    t, kappa, radius = found.random
    for grows, shade, label in (
        (False, "#bbbbbb", f"random, K = {settings.entities}: stable"),
        (True, color(2), f"random, K = {settings.entities}: growing"),
    ):
        chosen = (radius > 1) == grows
        panel.plot(t[chosen], kappa[chosen], ".", color=shade, markersize=2.5, label=label)
    for number, (count, values) in enumerate(zip(settings.counts, found.kappa, strict=True)):
        line(panel, number, found.anchor, values, f"sharp edge, K = {count}")
    panel.axhline(0.25, color="#888888", linewidth=0.8)
    panel.text(0.59, 0.253, "Theorem K: κ = 1/4", ha="right", fontsize=small_font())
    panel.set(
        xlabel="t, public data all share", ylabel="κ, part known of what is published", ylim=(0, 0.3), xlim=(0, 0.6)
    )
    panel.set_title("no growth above the curve")
    panel.legend(loc="upper right", bbox_to_anchor=(1, 0.84), fontsize=small_font(), frameon=True, framealpha=0.85)


def _draw_plane(panel: Axes, found: Safety) -> None:
    """The region in which ρ(Q) < 1, and the lines at which each bound is one."""
    panel.contourf(found.alpha, found.beta, found.radius, levels=[1, 10], colors=["#f3d3b0"])
    wide_line(panel, [], [], "ρ(Q) = 1")
    panel.contour(found.alpha, found.beta, found.radius, levels=[1], colors="#bbbbbb", linewidths=4)
    for number, (name, bound) in enumerate(zip(_BOUNDS, found.bounds, strict=True)):
        panel.contour(
            found.alpha, found.beta, bound, levels=[1], colors=color(number), linestyles=DASHES[number], linewidths=1.4
        )
        panel.plot([], [], DASHES[number], color=color(number), label=name)
    panel.set(xlabel="α, weight of synthetic data", ylabel="β, weight of private data")
    panel.set_title("stable left of each line")
    panel.legend(loc="center right", bbox_to_anchor=(1.0, 0.62), fontsize=small_font(), frameon=True, framealpha=0.85)
