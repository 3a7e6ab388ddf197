"""Measures of what models write: likeness between models, diversity of each, and right answers."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.random_projection import GaussianRandomProjection

from crossfeed.errors import InvalidInput

from ..data.tasks import answers_exactly

BUILTIN = "builtin"
DRAWN = 64
"""Coordinates of an embedding that are kept for pictures."""
_FEATURES = 4096
DISTINCT = (1, 2, 3)
"""Lengths n of the word sequences of distinct-n."""


class Embedding:
    """Texts as unit vectors.

    'builtin' counts hashed character 3- to 5-grams within words (4096 signed buckets, log of 1 + the count), weighs them by
    their rarity in the reference texts, and normalizes: texts are close if they share spelling, so words and their forms, not
    meaning. Anything else names a Sentence-Transformers model.

    Args:
        name: 'builtin' or the model's name.
        references: texts that say which n-grams are rare.

    Raises:
        InvalidInput: the model's library is not installed, or it has no such model.
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
        """Unit vectors; zero for a text without words."""
        if self._model is not None:
            return np.asarray(self._model.encode(list(texts), normalize_embeddings=True), np.float64)
        return cast(csr_array, self._rarity.transform(self._counts(texts))).toarray()

    def _counts(self, texts: Sequence[str]) -> csr_array:
        counts = csr_array(self._hash.transform(texts))
        counts.data = np.sign(counts.data) * np.log1p(abs(counts.data))
        return counts


def _sentence_model(name: str):
    try:
        from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InvalidInput(
            f"measures.embedding is {name!r}, but the library sentence-transformers is not installed"
        ) from None
    try:
        return SentenceTransformer(name)
    except Exception as error:  # whatever the network or the hub says
        raise InvalidInput(f"cannot load the embedding {name!r}: {' '.join(str(error).split())[:200]}") from error


def coordinates(embedded: Float[np.ndarray, "text feature"]) -> Float[np.ndarray, "text coordinate"]:
    """A fixed random projection to `DRAWN` coordinates, which keeps distances well enough to draw."""
    return GaussianRandomProjection(cast(Any, DRAWN), random_state=0).fit(embedded[:1]).transform(embedded)


def similarity(embedded: Float[np.ndarray, "entity item feature"]) -> Float[np.ndarray, "entity entity"]:
    """Mean cosine between what two models write for the same prompt; two texts without words count as equal."""
    return _cosines(embedded.swapaxes(0, 1)).mean(axis=0)


def _cosines(embedded: Float[np.ndarray, "*several text feature"]) -> Float[np.ndarray, "*several text text"]:
    """Of every pair; 1 for two texts without words, whose vectors are zero."""
    empty = np.asarray(~embedded.any(axis=-1))
    both_empty = empty[..., :, None] & empty[..., None, :]
    return np.where(both_empty, 1.0, embedded @ embedded.swapaxes(-1, -2))


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Different sequences of n words over all of them, in all texts together; NaN if there is none."""
    sequences = [tuple(words[i : i + n]) for words in map(str.split, texts) for i in range(len(words) - n + 1)]
    return len(set(sequences)) / len(sequences) if sequences else float("nan")


def vendi_score(embedded: Float[np.ndarray, "item feature"]) -> float:
    """Effective number of different texts: exp of the entropy of the eigenvalues of the cosines over their number.

    Friedman and Dieng, The Vendi Score, TMLR 2023. From 1 (all equal) to the number of texts; texts without words
    are equal to each other.
    """
    values = np.linalg.eigvalsh(_cosines(embedded) / len(embedded))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def accuracy(completions: Sequence[str], references: Sequence[str]) -> float:
    """Part of the completions with the reference's answer."""
    return float(np.mean([answers_exactly(*pair) for pair in zip(completions, references, strict=True)]))
