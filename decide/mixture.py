"""Synthetic fraction: what share of a corpus each of several known sources wrote, by maximum likelihood."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import logsumexp

from crossfeed.errors import InvalidInput

from .bootstrap import interval, resample

_STEPS, _TOLERANCE = 5000, 1e-7
_HELD_OUT, _LEAST_CALIBRATED = 3, 30  # every third text calibrates, if there are that many of each source
_ORDER = 5  # characters of the longest context, plus one
_ALPHABET = 1 << 16  # characters that a text might hold, each as likely where nothing is known


@dataclass(frozen=True)
class Mixture:
    """Shares of sources in a corpus.

    Attributes:
        weights: maximum-likelihood share of each source; they sum to 1.
        interval: lower and upper end of each, which hold 95 % of bootstrap resamples of the corpus. They do not hold the error of
            models that describe their sources badly.
        log_likelihood: of the corpus, per text, in nats.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import mixture_weights
        >>> found = mixture_weights(np.log([[0.9, 0.1]] * 30 + [[0.1, 0.9]] * 10))
        >>> print(found.weights.round(2))
        [0.81 0.19]
    """

    weights: Float[np.ndarray, " source"]
    interval: Float[np.ndarray, "source 2"]
    log_likelihood: float


def mixture_weights(log_likelihoods: Float[np.ndarray, "text source"]) -> Mixture:
    """Shares of sources that maximize the likelihood of a corpus, by expectation maximization.

    The log-likelihood Σ_i log Σ_k w_k p_k(x_i) is concave in w, so the maximum found is the largest.

    Args:
        log_likelihoods: log p_k(x_i) of every text under a model of every source; -inf where it cannot have written the text.

    Raises:
        InvalidInput: there is no text or source, a value is NaN or +inf, or no source can have written a text.

    Example:
        >>> import numpy as np
        >>> from crossfeed.decide import mixture_weights
        >>> mixture_weights(np.log([[1.0, 1e-9]] * 3 + [[1e-9, 1.0]])).weights.round(4).tolist()
        [0.75, 0.25]
    """
    if log_likelihoods.ndim != 2 or 0 in log_likelihoods.shape:
        raise InvalidInput(f"log_likelihoods must have shape (texts, sources), but has shape {log_likelihoods.shape}")
    bad = np.argwhere(np.isnan(log_likelihoods) | (log_likelihoods == np.inf))
    if len(bad):
        raise InvalidInput(
            f"log_likelihoods[{bad[0, 0]}, {bad[0, 1]}] is {log_likelihoods[tuple(bad[0])]}, not a number"
        )
    largest = log_likelihoods.max(1, keepdims=True)
    if not np.isfinite(largest).all():
        raise InvalidInput(f"no source can have written text {int(np.argmin(np.isfinite(largest[:, 0])))}")
    relative = np.exp(log_likelihoods - largest)
    weights = _maximize(relative, resample(len(relative), np.random.default_rng(0)))
    likelihood = (np.log(relative @ weights[0]) + largest[:, 0]).mean()
    return Mixture(weights[0], interval(weights).T, float(likelihood))


def _maximize(
    relative: Float[np.ndarray, "text source"], counts: Float[np.ndarray, "corpus text"]
) -> Float[np.ndarray, "corpus source"]:
    """Maximum-likelihood weights of every corpus, given how often it holds each text."""
    weights = np.full((len(counts), relative.shape[1]), 1 / relative.shape[1])
    for _ in range(_STEPS):
        better = weights * ((counts / (weights @ relative.T)) @ relative) / counts.sum(1, keepdims=True)
        step, weights = np.abs(better - weights).max(), better
        if step < _TOLERANCE:
            break
    return weights


class NGramModel:
    """Model of a source: characters given up to four before, by Witten-Bell smoothing (Witten and Bell 1991).

    Args:
        texts: texts of the source.

    Raises:
        InvalidInput: there are none.

    Example:
        >>> from crossfeed.decide import NGramModel
        >>> model = NGramModel(["the cat sat", "the dog ran"])
        >>> model.log_likelihood("the cat") > model.log_likelihood("tac eht")
        True
    """

    def __init__(self, texts: Sequence[str]):
        if not any(texts):
            raise InvalidInput("a model of a source needs texts of it")
        self._counts: Counter[str] = Counter()
        for text in texts:
            for end in range(1, len(text) + 1):
                self._counts.update(text[start:end] for start in range(max(0, end - _ORDER), end))
        self._totals: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        for gram, count in self._counts.items():
            self._totals[gram[:-1]] += count
            self._kinds[gram[:-1]] += 1

    def log_likelihood(self, text: str) -> float:
        """Log probability of a text of this length, in nats."""
        return sum(math.log(self._probability(text[max(0, end - _ORDER) : end])) for end in range(1, len(text) + 1))

    def _probability(self, gram: str) -> float:
        """Probability of the last character given those before it: of every context length, mixed with that of the next shorter."""
        probability = 1 / _ALPHABET
        for start in range(len(gram) - 1, -1, -1):
            context = gram[start:-1]
            total, kinds = self._totals[context], self._kinds[context]
            if not total:
                break
            probability = (self._counts[gram[start:]] + kinds * probability) / (total + kinds)
        return probability


def corpus_shares(sources: Sequence[Sequence[str]], corpus: Sequence[str]) -> Mixture:
    """Shares of a corpus that several sources wrote, of which other texts are known: people, say, and K models.

    Args:
        sources: texts known to be of each source; none of them in the corpus.
        corpus: the texts in question.

    Raises:
        InvalidInput: there are fewer than two sources, or there is no text of one, or none in question.

    Example:
        >>> from crossfeed.decide import corpus_shares
        >>> cats, rates = ["the cat sat on a mat", "a cat ran"], ["interest rates rose", "bond rates fell"]
        >>> corpus_shares([cats, rates], ["the cat ran on a mat", "interest rates fell", "a cat sat"]).weights.round(2)
        array([0.67, 0.33])
    """
    if len(sources) < 2:
        raise InvalidInput("texts of at least two sources are needed to tell them apart")
    if not corpus:
        raise InvalidInput("the corpus holds no text")
    held = [texts[::_HELD_OUT] if min(map(len, sources)) >= _LEAST_CALIBRATED else [] for texts in sources]
    models = [
        NGramModel([text for place, text in enumerate(texts) if not out or place % _HELD_OUT])
        for texts, out in zip(sources, held, strict=True)
    ]

    def logs(texts: Sequence[str]) -> Float[np.ndarray, "text source"]:
        return np.array([[model.log_likelihood(text) for model in models] for text in texts])

    return mixture_weights(_calibrated(logs(corpus), [logs(texts) for texts in held if texts]))


def _calibrated(
    corpus: Float[np.ndarray, "corpus source"], held: Sequence[Float[np.ndarray, "_ source"]]
) -> Float[np.ndarray, "corpus source"]:
    """Log-likelihoods on a scale on which they say how likely a source is: t log p_k + b_k, fitted to held-out texts.

    Models of sources know fewer texts than their sources write, and are too sure of themselves. Bias-corrected temperature
    scaling (Alexandari, Kundaje and Shrikumar 2020) makes their posterior probabilities right on average where all sources
    are equally likely, which are likelihoods up to a factor per text.
    """
    if not held:
        return corpus
    source = np.repeat(np.arange(len(held)), [len(texts) for texts in held])
    weight = 1 / np.array([len(texts) for texts in held])[source]
    together = np.concatenate(held)

    def loss(free: np.ndarray) -> float:
        scores = np.exp(free[0]) * together + np.append(0, free[1:])
        return float(weight @ (logsumexp(scores, axis=1) - scores[np.arange(len(source)), source]))

    found = minimize(loss, np.zeros(len(held))).x
    return np.exp(found[0]) * corpus + np.append(0, found[1:])
