"""Lemma 1 on random ecosystems: ρ(Q) against its explicit bound, and what happens outside its condition."""

import jax
import numpy as np

from ..proofs_check import run_trials
from .report import Report, Request, save
from .style import COLOURS, DASHES, grid_of_axes, styled

SIZES = ((2, 2), (4, 4), (8, 4))  # (K, d)
_VISIBLE = 0.001  # a growth that a researcher would notice within a thousand generations


def draw(request: Request) -> Report:
    """Left: within the condition, every ecosystem lies below the line. Right: outside, ρ(Q) may exceed one."""
    trials = 1000 if request.quick else 20_000
    keys = jax.random.split(jax.random.key(request.seed), 2 * len(SIZES))
    run = jax.jit(run_trials, static_argnums=(1, 2, 3, 4))
    inside = [run(key, trials, *size, True) for key, size in zip(keys[::2], SIZES, strict=True)]
    outside = [run(key, trials, *size, False) for key, size in zip(keys[1::2], SIZES, strict=True)]
    radius = np.concatenate([np.asarray(t.spectral_radius) for t in inside])
    bound = np.concatenate([np.asarray(t.bound) for t in inside])
    applies = np.concatenate([np.asarray(t.applies) for t in inside])
    violations = int((~(radius <= bound * (1 + 1e-9))).sum())
    slack = float(np.nanmin(bound - radius))
    excess = [np.asarray(t.spectral_radius) - 1 for t in outside]
    growing = [float((values > _VISIBLE).mean()) for values in excess]
    worst = int(np.argmax([values.max() for values in excess]))

    with styled():
        figure, (axes,) = grid_of_axes(1, 2, (9, 3.6))
        shown = slice(None, None, max(1, len(radius) // 6000))
        lowest = 1e-6
        gaps = [np.maximum(1 - values[shown], lowest) for values in (bound, radius)]
        axes[0].plot(*gaps, ".", color=COLOURS[1], markersize=2, alpha=0.5, rasterized=True)
        axes[0].plot([lowest, 1], [lowest, 1], color=COLOURS[0], label="ρ(Q) = bound")
        axes[0].set(
            xlabel=f"1 - bound of Lemma 1 (drawn at {lowest:g} if less)",
            ylabel="1 - ρ(Q)",
            xscale="log",
            yscale="log",
            title="within the condition: ρ(Q) below the bound is above the line",
        )
        axes[0].legend(loc="lower right")
        for number, ((entities, size), values) in enumerate(zip(SIZES, excess, strict=True)):
            values = np.sort(values)
            above = 1 - np.arange(len(values)) / len(values)
            label = f"K = {entities}, d = {size}"
            axes[1].plot(values, above, DASHES[number], color=COLOURS[number], label=label)
        axes[1].set(
            xlabel="ρ(Q) - 1, growth a generation",
            ylabel="fraction of ecosystems above",
            xlim=(1e-4, 1),
            ylim=(1e-5, 1),
            xscale="log",
            yscale="log",
            title="misaligned: outside the condition",
        )
        axes[1].legend(loc="lower left")
        verdict = "ρ(Q) never exceeds the bound" if not violations else f"ρ(Q) exceeds the bound {violations} times"
        report = Report(
            "lemma1",
            "Lemma 1 on random ecosystems",
            f"Within the condition {verdict} ({len(radius)} ecosystems, smallest slack {slack:.2g}); where entities publish on "
            f"inputs unrelated to what they know, up to {max(growing):.1%} diverge by more than {_VISIBLE:.1%} a generation, and "
            f"the worst (K = {SIZES[worst][0]}, d = {SIZES[worst][1]}) by a factor {1 + excess[worst].max():.3f}.",
            f"{trials} random ecosystems each for (K, d) in {', '.join(map(str, SIZES))}; ranks from 1, λ, γ, α and β ≤ λ "
            f"random; seed {request.seed}. Lemma 1: γS = λS~ + (1-λ)S_* and β ≤ λ give ρ(Q) ≤ 1/(1+εδ), see docs/theory.md.",
            {
                "trials": len(radius),
                "all_apply": bool(applies.all()),
                "smallest_slack": slack,
                "violations": violations,
                "growing_outside": dict(zip(map(str, SIZES), growing, strict=True)),
                "largest_spectral_radius_outside": {
                    str(size): float(1 + values.max()) for size, values in zip(SIZES, excess, strict=True)
                },
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
