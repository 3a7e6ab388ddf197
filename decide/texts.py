"""Homogenization of texts that one already has: how alike sources write, how far from people, and how diverse each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from crossfeed.errors import InvalidInput
from crossfeed.reading import json_lines

from ..sim.text_measures import BUILTIN, DISTINCT, Embedding, distinct_n, vendi_score
from .bootstrap import interval, resample

MOST_TEXTS = 10_000  # of one source, so that embeddings fit the memory
_MOST_COMPARED = 2000  # texts of a Vendi score, which needs all their cosines


@dataclass(frozen=True)
class Written:
    """One text, and what is known about it.

    Attributes:
        text: the text.
        prompt: what it completes; None if unknown.
        generation: generation of the model that wrote it; None if unknown.

    Example:
        >>> from crossfeed.decide import Written
        >>> Written("Paris.", prompt="Capital of France?")
        Written(text='Paris.', prompt='Capital of France?', generation=None)
    """

    text: str
    prompt: str | None = None
    generation: int | None = None


@dataclass(frozen=True)
class TextHomogenization:
    """Similarity of sources of text. Intervals hold 95 % of bootstrap resamples of the texts.

    Attributes:
        paired: whether texts of two sources are compared on the same prompt; otherwise any two texts are.
        texts: number of texts of each source.
        similarity: mean cosine of a text of one source and one of another; on the diagonal, of two texts of one source.
        interval: lower and upper end for each similarity.
        baseline: the same for shuffled pairs: of different prompts if texts are paired; else, of two texts drawn from both
            sources together.
        distance: squared distance of the mean embedding of each source from that of the reference, without bias; None without
            reference.
        distance_interval: lower and upper end for each distance.
        vendi: effective number of different texts of each source, among `compared` of each.
        compared: number of texts that the Vendi score counts.
        distinct: share of distinct sequences of 1, 2 and 3 words in the first `words` words of each source.
        words: number of words that distinct-n counts.
        generations: generations with texts of all sources.
        by_generation: mean similarity of two sources at each of them.
        slope: change of that mean per generation; NaN if there are fewer than two generations.
        slope_interval: lower and upper end of the slope.

    Example:
        >>> from crossfeed.decide import TextHomogenization, Written, compare_texts
        >>> same = [Written("one two"), Written("three four")]
        >>> isinstance(compare_texts([same, same]), TextHomogenization)
        True
    """

    paired: bool
    texts: tuple[int, ...]
    similarity: Float[np.ndarray, "source source"]
    interval: Float[np.ndarray, "source source 2"]
    baseline: Float[np.ndarray, "source source"]
    distance: Float[np.ndarray, " source"] | None
    distance_interval: Float[np.ndarray, "source 2"] | None
    vendi: Float[np.ndarray, " source"]
    compared: int
    distinct: Float[np.ndarray, "source 3"]
    words: int
    generations: tuple[int, ...]
    by_generation: Float[np.ndarray, " generation"]
    slope: float
    slope_interval: Float[np.ndarray, "2"]


def read_written(path: Path) -> list[Written]:
    """Texts of a JSON Lines file.

    A record is a text, or an object with one: `prompt` (or `question`) and `generation` are what they say, and all its other
    texts together are what was written.

    Args:
        path: the file.

    Raises:
        InvalidInput: the file cannot be read or is not JSON Lines, or a record holds no text.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crossfeed.decide import read_written
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.jsonl")
        ...     _ = path.write_text('{"prompt": "1 + 1 =", "text": "2"}')
        ...     read_written(path)
        [Written(text='2', prompt='1 + 1 =', generation=None)]
    """
    found = [_written(where, record) for where, record in json_lines(path)]
    if len(found) > MOST_TEXTS:
        raise InvalidInput(f"{path} holds {len(found)} texts, but at most {MOST_TEXTS} can be compared")
    return found


def _written(where: str, record: object) -> Written:
    fields: Mapping[str, object] = record if isinstance(record, dict) else {"text": record}
    prompt = fields.get("prompt", fields.get("question"))
    generation = fields.get("generation")
    if generation is not None and (not isinstance(generation, int) or isinstance(generation, bool)):
        raise InvalidInput(f"{where} has generation {generation!r}, but it must be a whole number")
    texts = [v for name, v in fields.items() if isinstance(v, str) and name not in ("prompt", "question")]
    if not texts:
        beside = " beside its prompt" if prompt is not None else ""
        raise InvalidInput(f"{where} holds no text{beside}: give a string, or an object with one")
    return Written("\n".join(texts), prompt if isinstance(prompt, str) else None, generation)


def compare_texts(
    sources: Sequence[Sequence[Written]], reference: Sequence[Written] | None = None
) -> TextHomogenization:
    """Similarity of sources of text, their distance from a reference, their diversity, and the trend over generations.

    Texts are embedded by the frequencies of their words' parts (`sim.text_measures.Embedding`): spelling counts, meaning does
    not. They are paired if all texts have a prompt that occurs once per source and generation, and sources share at least two.

    Args:
        sources: texts of at least two sources.
        reference: texts of people.

    Raises:
        InvalidInput: there are fewer than two sources, or a source has fewer than two texts.

    Example:
        >>> from crossfeed.decide import Written, compare_texts
        >>> cats = [Written("the cat sat"), Written("a cat ran")]
        >>> rates = [Written("interest rates rose"), Written("rates fell again")]
        >>> found = compare_texts([cats, cats, rates])
        >>> print(found.similarity[0, 1] > found.similarity[0, 2], found.vendi.round(1))
        True [1.9 1.9 1.9]
    """
    if len(sources) < 2:
        raise InvalidInput("texts of at least two sources are needed to compare them")
    named = {f"source {number}": texts for number, texts in enumerate(sources, 1)}
    for name, texts in (named if reference is None else named | {"reference": reference}).items():
        if len(texts) < 2:
            count = "1 text" if len(texts) == 1 else f"{len(texts)} texts"
            raise InvalidInput(f"{name} has {count}, but at least 2 are needed")
    chosen, paired = _pair(sources)
    everything = [item.text for texts in (sources if reference is None else [reference]) for item in texts]
    embed = _Embedded(everything)
    vectors = [embed([item.text for item in texts]) for texts in chosen]
    rng = np.random.default_rng(0)
    similarity, ends, baseline = _similarities(vectors, paired, rng)
    people = None if reference is None else embed([item.text for item in reference])
    distance = None if people is None else [_resampled_distance(own, people, rng) for own in vectors]
    compared = min(_MOST_COMPARED, *map(len, chosen))
    words = min(sum(len(item.text.split()) for item in texts) for texts in chosen)
    generations, by_generation, slope, slope_interval = _trend(chosen, vectors, paired, rng)
    return TextHomogenization(
        paired,
        tuple(map(len, chosen)),
        similarity,
        ends,
        baseline,
        None if distance is None else np.array([value for value, _ in distance]),
        None if distance is None else np.array([ends for _, ends in distance]),
        np.array([vendi_score(own[:compared]) for own in vectors]),
        compared,
        np.array([[distinct_n(_first_words(texts, words), n) for n in DISTINCT] for texts in chosen]),
        words,
        generations,
        by_generation,
        slope,
        slope_interval,
    )


class _Embedded:
    """Unit vectors of texts; those without words share a coordinate of their own, so that they count as equal."""

    def __init__(self, references: Sequence[str]):
        self._embedding = Embedding(BUILTIN, references)

    def __call__(self, texts: Sequence[str]) -> Float[np.ndarray, "text feature"]:
        vectors = self._embedding(texts)
        return np.column_stack([vectors, ~vectors.any(axis=1)])


def _pair(sources: Sequence[Sequence[Written]]) -> tuple[list[list[Written]], bool]:
    """Texts in one order for all sources, of the prompts and generations that all of them have; or as they are, if unpaired."""
    tables = [{(item.prompt, item.generation): item for item in texts} for texts in sources]
    named = all(item.prompt is not None for texts in sources for item in texts)
    # A prompt that occurs twice pairs nothing.
    if not named or any(len(table) < len(texts) for table, texts in zip(tables, sources, strict=True)):
        return [list(texts) for texts in sources], False
    common = [key for key in tables[0] if all(key in table for table in tables)]
    if len(common) < 2:
        return [list(texts) for texts in sources], False
    return [[table[key] for key in common] for table in tables], True


def _different(weights: np.ndarray, left: np.ndarray, right: np.ndarray) -> Float[np.ndarray, " resample"]:
    """Mean inner product of two vectors with different indices, for each row of weights; NaN if it draws one alone."""
    both = ((weights @ left) * (weights @ right)).sum(1) - weights**2 @ (left * right).sum(1)
    pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
    return np.where(pairs > 0, both / np.maximum(pairs, 1), np.nan)


def _similarities(
    vectors: Sequence[np.ndarray], paired: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Similarities of every two sources, their intervals, and those of shuffled pairs."""
    count = len(vectors)
    similarity, baseline, ends = np.eye(count), np.eye(count), np.zeros((count, count, 2))
    weights = [resample(len(own), rng) for own in vectors]
    if paired:
        weights = [weights[0]] * count
    for k in range(count):
        for j in range(k, count):
            if j == k:
                values = _different(weights[k], vectors[k], vectors[k])
                shuffled = values[0]
            elif paired:
                values = weights[k] @ (vectors[k] * vectors[j]).sum(1) / len(vectors[k])
                shuffled = _different(weights[k][:1], vectors[k], vectors[j])[0]
            else:
                values = _mean_cosine(weights[k], vectors[k], weights[j], vectors[j])
                both = np.vstack([vectors[k], vectors[j]])
                shuffled = _different(np.ones((1, len(both))), both, both)[0]
            similarity[[k, j], [j, k]], baseline[[k, j], [j, k]] = values[0], shuffled
            ends[[k, j], [j, k]] = interval(values)
    return similarity, ends, baseline


def _mean_cosine(
    weights: np.ndarray, left: np.ndarray, other: np.ndarray, right: np.ndarray
) -> Float[np.ndarray, " resample"]:
    return (weights @ left * (other @ right)).sum(1) / (weights.sum(1) * other.sum(1))


def _resampled_distance(
    own: np.ndarray, people: np.ndarray, rng: np.random.Generator
) -> tuple[float, Float[np.ndarray, "2"]]:
    """Unbiased squared distance of mean embeddings (a maximum mean discrepancy with the cosine as kernel)."""
    mine, theirs = resample(len(own), rng), resample(len(people), rng)
    within = _different(mine, own, own) + _different(theirs, people, people)
    values = within - 2 * _mean_cosine(mine, own, theirs, people)
    return float(values[0]), interval(values)


def _first_words(texts: Sequence[Written], count: int) -> list[str]:
    """Texts up to a number of words in all."""
    kept = []
    for item in texts:
        words = item.text.split()[:count]
        count -= len(words)
        kept.append(" ".join(words))
    return kept


def _trend(
    chosen: Sequence[Sequence[Written]], vectors: Sequence[np.ndarray], paired: bool, rng: np.random.Generator
) -> tuple[tuple[int, ...], np.ndarray, float, Float[np.ndarray, "2"]]:
    """Generations, mean similarity of two sources at each, the slope of a straight line, and its interval."""
    labels: list[Int[np.ndarray, " text"]] = [
        np.array([-1 if item.generation is None else item.generation for item in texts]) for texts in chosen
    ]
    enough = [{int(g) for g in np.unique(own) if g >= 0 and (own == g).sum() >= 2} for own in labels]
    generations = tuple(sorted(set.intersection(*enough)))
    values = []
    for generation in generations:
        parts = [own[label == generation] for own, label in zip(vectors, labels, strict=True)]
        weights = [resample(len(own), rng) for own in parts]
        pairs = [(k, j) for k in range(len(parts)) for j in range(k)]
        if paired:
            each = [weights[0] @ (parts[k] * parts[j]).sum(1) / len(parts[k]) for k, j in pairs]
        else:
            each = [_mean_cosine(weights[k], parts[k], weights[j], parts[j]) for k, j in pairs]
        values.append(np.mean(each, axis=0))
    if len(generations) < 2:
        return generations, np.array([v[0] for v in values]), float("nan"), np.full(2, np.nan)
    times = np.array(generations, float) - np.mean(generations)
    slopes = times @ np.array(values) / (times**2).sum()
    return generations, np.array([v[0] for v in values]), float(slopes[0]), interval(slopes)
