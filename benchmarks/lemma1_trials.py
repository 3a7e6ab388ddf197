"""Trials of Lemma 1 in batches, against a NumPy loop over ecosystems with lifted matrices."""

import jax
import numpy as np
from crossfeed.proofs_check.lemma1 import Draw, Sizes, draw_within, run_trials, trial_keys
from scipy.linalg import block_diag
from timing import Claim, compiled, interleaved

SIZES = Sizes(1, 8, 1, 8)
TRIALS, SAMPLE = 16_384, 200
AGREEMENT = 1e-6  # what float64 allows for ill-conditioned ecosystems


def measure() -> list[Claim]:
    keys = trial_keys(0, 0, TRIALS)
    batch, compile_seconds = compiled(lambda keys: run_trials(keys, SIZES, True), keys)
    found = batch(keys)
    drawn = jax.jit(jax.vmap(lambda key: draw_within(key, SIZES)))(keys[:SAMPLE])
    single = [jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), drawn) for i in range(SAMPLE)]
    radius, bound = map(np.array, zip(*map(lifted, single), strict=True))
    gap = max(np.abs(radius - found.spectral_radius[:SAMPLE]).max(), np.abs(bound - found.bound[:SAMPLE]).max())
    if not gap <= AGREEMENT:
        raise AssertionError(f"the two sides differ by {gap:.2e}")
    times = interleaved(lambda: batch(keys), lambda: [lifted(each) for each in single])
    scale = TRIALS / SAMPLE
    return [
        Claim(
            "trials of Lemma 1 with K, d ≤ 8, drawn and evaluated in batches, against a NumPy loop with lifted matrices",
            times.ratio * scale,
            10,
            details={
                "trials": TRIALS,
                "batch_seconds": times.a_seconds,
                "microseconds_per_trial": 1e6 * times.a_seconds / TRIALS,
                "loop_seconds_scaled": times.b_seconds * scale,
                "loop_trials_timed": SAMPLE,
                "compile_seconds": compile_seconds,
                "ratios": [ratio * scale for ratio in times.ratios],
            },
        )
    ]


def lifted(drawn: Draw) -> tuple[float, float]:
    """ρ(Q) from the Kd × Kd matrices of §5, and 1/(1 + εδ) from those of App. E.4, without padding.

    Drawing the ecosystem is not timed.
    """
    ecosystem, _ = drawn.trimmed()
    count, size, shares = ecosystem.entities, ecosystem.dimension, ecosystem.shares
    private, public, synthetic = ecosystem.private.gram, ecosystem.public.gram, ecosystem.synthetic.gram
    alpha, beta = float(drawn.weights.alpha), float(drawn.weights.beta)
    mixing, scale = float(drawn.mixing), float(drawn.scale)
    pool = np.einsum("k,kij->ij", shares, synthetic)
    everyone = np.eye(count)
    published = np.asarray(block_diag(*synthetic))
    gram = (1 - alpha) * (beta * np.asarray(block_diag(*private)) + (1 - beta) * np.kron(everyone, public))
    gram += alpha * np.kron(everyone, pool)
    averaged = np.kron(np.outer(np.ones(count), shares), np.eye(size)) @ published
    recursive = alpha * np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ averaged
    surplus = (1 - alpha) * (mixing - beta) / (alpha * mixing) * public + pool
    values, vectors = np.linalg.eigh(surplus)
    kept = values > 1e-12 * values[-1]
    root = np.kron(everyone, vectors[:, kept] / np.sqrt(values[kept]))
    spectrum = np.linalg.eigvalsh(root.T @ published @ root)
    ranks = sum(np.linalg.matrix_rank(gram, hermitian=True) for gram in synthetic)
    delta = (1 - alpha) * beta * scale / (alpha * mixing)
    return np.abs(np.linalg.eigvals(recursive)).max(), 1 / (1 + spectrum[-ranks] * delta)
