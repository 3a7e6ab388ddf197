"""Lemma 1 on random ecosystems: ρ(Q) against its explicit bound, and what happens outside its condition."""

import jax
import numpy as np

from ..proofs_check import run_trials
from .report import Report, Request, save
from .style import COLOURS, grid_of_axes, styled

SIZES = ((2, 2), (4, 4), (8, 4))  # (K, d)


def draw(request: Request) -> Report:
    """Left: within the condition, every ecosystem lies below the line. Right: outside, ρ(Q) may exceed one."""
    trials = 1000 if request.quick else 20_000
    keys = jax.random.split(jax.random.key(request.seed), 2 * len(SIZES))
    run = jax.jit(run_trials, static_argnums=(1, 2, 3, 4))
    inside = [run(key, trials, *size, True) for key, size in zip(keys[::2], SIZES, strict=True)]
    outside = [run(key, trials, *size, False) for key, size in zip(keys[1::2], SIZES, strict=True)]
    radius = np.concatenate([np.asarray(t.spectral_radius) for t in inside])
    bound = np.concatenate([np.asarray(t.bound) for t in inside])
    slack = float((bound - radius).min())
    unstable = [float((np.asarray(t.spectral_radius) > 1).mean()) for t in outside]
    worst = [float(t.spectral_radius.max()) for t in outside]

    with styled():
        figure, (axes,) = grid_of_axes(1, 2, (9, 3.6))
        shown = slice(None, None, max(1, len(radius) // 6000))
        axes[0].plot(bound[shown], radius[shown], ".", color=COLOURS[1], markersize=2, alpha=0.5, rasterized=True)
        axes[0].plot([0, 1], [0, 1], color=COLOURS[0], label="ρ(Q) = bound")
        axes[0].set(
            xlabel="bound 1/(1+εδ)", ylabel="ρ(Q)", xlim=(0, 1), ylim=(0, 1), title="condition of Lemma 1 holds"
        )
        axes[0].legend(loc="upper left")
        for number, ((entities, size), result) in enumerate(zip(SIZES, outside, strict=True)):
            values = np.sort(np.asarray(result.spectral_radius))
            above = 1 - np.arange(len(values)) / len(values)
            axes[1].plot(
                values, above, ("-", "--", ":")[number], color=COLOURS[number], label=f"K = {entities}, d = {size}"
            )
        axes[1].axvline(1, color="#888888", linewidth=0.8)
        axes[1].set(
            xlabel="ρ(Q)",
            ylabel="fraction of ecosystems above",
            xlim=(0.5, None),
            yscale="log",
            title="misaligned: outside it",
        )
        axes[1].legend(loc="lower left")
        report = Report(
            "lemma1",
            "Lemma 1 on random ecosystems",
            f"Within the condition ρ(Q) never exceeds the bound ({len(radius)} ecosystems, smallest slack {slack:.2g}); where "
            f"entities publish on inputs unrelated to what they know, up to {max(unstable):.1%} diverge, the worst by a factor "
            f"{max(worst):.3f} a generation.",
            f"{trials} random ecosystems each for (K, d) in {', '.join(map(str, SIZES))}; ranks from 1, λ, γ, α and β ≤ λ "
            f"random; seed {request.seed}.",
            {
                "trials": len(radius),
                "all_apply": bool(all(np.asarray(t.applies).all() for t in inside)),
                "smallest_slack": slack,
                "violations": int((radius > bound * (1 + 1e-9)).sum()),
                "unstable_outside": dict(zip(map(str, SIZES), unstable, strict=True)),
                "largest_spectral_radius_outside": dict(zip(map(str, SIZES), worst, strict=True)),
            },
        )
        size = np.repeat(np.arange(len(SIZES)), trials)
        return save(
            request,
            report,
            figure,
            {
                "entities": np.array(SIZES)[size, 0],
                "dimension": np.array(SIZES)[size, 1],
                "spectral_radius": radius,
                "bound": bound,
                "spectral_radius_outside": np.concatenate([np.asarray(t.spectral_radius) for t in outside]),
            },
        )
