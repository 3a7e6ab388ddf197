"""Measures of generated text: similarity between models, and diversity of each model."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.random_projection import GaussianRandomProjection

from crossfeed.errors import InvalidInput, reason_of

BUILTIN = "builtin"
DRAWN = 64
"""Number of coordinates of an embedding that are kept for figures."""
_FEATURES = 4096
DISTINCT = (1, 2, 3)
"""Lengths n of the word sequences that distinct-n counts."""


class Embedding:
    """Embedding of texts as unit vectors.

    The built-in one is a TF-IDF of hashed character 3- to 5-grams within words: 4096 signed buckets, log(1 + count), and
    inverse document frequencies of the reference texts. Texts are close if they share words and word forms; meaning does not
    matter.

    Args:
        name: 'builtin', or the name of a Sentence-Transformers model.
        references: texts whose document frequencies are used.

    Raises:
        InvalidInput: the library of the model is not installed, or it has no such model.
    """

    def __init__(self, name: str, references: Sequence[str]):
        self._model = None
        if name != BUILTIN:
            self._model = _sentence_model(name)
            return
        self._hash = HashingVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), n_features=_FEATURES, norm=cast(Any, None)
        )
        self._rarity = TfidfTransformer(sublinear_tf=False).fit(abs(self._counts(references)))

    def __call__(self, texts: Sequence[str]) -> Float[np.ndarray, "text feature"]:
        """Unit vectors of texts; zero for a text without words."""
        if self._model is not None:
            return np.asarray(self._model.encode(list(texts), normalize_embeddings=True), np.float64)
        return cast(csr_array, self._rarity.transform(self._counts(texts))).toarray()

    def _counts(self, texts: Sequence[str]) -> csr_array:
        counts = csr_array(self._hash.transform(texts))
        counts.data[:] = np.sign(counts.data) * np.log1p(np.abs(counts.data))
        return counts


def _sentence_model(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InvalidInput(
            f"measures.embedding is {name!r}, but the library sentence-transformers is not installed"
        ) from None
    try:
        return SentenceTransformer(name)
    except Exception as error:  # whatever the network or the hub says
        raise InvalidInput(f"cannot load the embedding {name!r}: {reason_of(error)}") from error


def coordinates(embedded: Float[np.ndarray, "text feature"]) -> Float[np.ndarray, "text coordinate"]:
    """Fixed random projection to `DRAWN` coordinates, which approximately preserves distances."""
    return GaussianRandomProjection(cast(Any, DRAWN), random_state=0).fit(embedded[:1]).transform(embedded)


def similarity(embedded: Float[np.ndarray, "entity item feature"]) -> Float[np.ndarray, "entity entity"]:
    """Mean cosine similarity of two models' completions of the same prompt; two texts without words count as equal."""
    return _cosines(embedded.swapaxes(0, 1)).mean(axis=0)


def _cosines(embedded: Float[np.ndarray, "*several text feature"]) -> Float[np.ndarray, "*several text text"]:
    """Cosines of every pair of texts; 1 for two texts without words, whose vectors are zero."""
    empty = np.asarray(~embedded.any(axis=-1))
    both_empty = empty[..., :, None] & empty[..., None, :]
    return np.where(both_empty, 1.0, embedded @ embedded.swapaxes(-1, -2))


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Share of distinct sequences among all sequences of n words in all texts together; NaN if there is none."""
    sequences = [tuple(words[i : i + n]) for words in map(str.split, texts) for i in range(len(words) - n + 1)]
    return len(set(sequences)) / len(sequences) if sequences else float("nan")


def vendi_score(embedded: Float[np.ndarray, "item feature"]) -> float:
    """Vendi score (Friedman and Dieng, TMLR 2023): the effective number of different texts.

    It is the exponential of the entropy of the eigenvalues of the cosine matrix divided by the number of texts, and lies
    between 1 (all texts are equal) and this number. Texts without words are equal to each other.
    """
    values = np.linalg.eigvalsh(_cosines(embedded) / len(embedded))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))
