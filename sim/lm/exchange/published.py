"""Texts that an entity publishes: their prompts are known first, their completions are generated where training needs them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from ..data.texts import Texts


class PublishedTexts:
    """Texts that one entity publishes in a generation: n prompts and, once they have been generated, their completions.

    Indexing gives the tokens of a text that has been generated.

    Args:
        source: texts whose prompts are completed.
        chosen: index in `source` of the prompt of each published text, int [n].
        new_tokens: greatest number of tokens of a completion.
        longest: greatest number of tokens of a text.

    Attributes:
        prompts: number of prompt tokens of each text, int [n].
        generated: whether each text has been generated, bool [n].
    """

    def __init__(self, source: Texts, chosen: Int[np.ndarray, " n"], new_tokens: int, longest: int):
        self._source, self._chosen, self._longest = source, chosen, longest
        self._texts: dict[int, np.ndarray] = {}
        self._completion_lengths = np.zeros(len(chosen), np.int64)
        self._expected_completion = min(int((source.lengths - source.prompts).mean()), new_tokens)
        self.prompts = source.prompts[chosen]
        self.generated = np.zeros(len(chosen), bool)

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, index: int | np.integer) -> Int[np.ndarray, " token"]:
        return self._texts[int(index)]

    def prompt(self, index: int | np.integer) -> Int[np.ndarray, " token"]:
        """Tokens of the prompt of a text."""
        return self._source.prompt(self._chosen[index])

    def reference(self, index: int | np.integer) -> Int[np.ndarray, " token"]:
        """Tokens that follow the prompt of a text in the data that the prompt comes from."""
        return self._source[self._chosen[index]][self.prompts[index] :]

    @property
    def lengths(self) -> Int[np.ndarray, " n"]:
        """Number of tokens of each text; until it has been generated, an estimate from the mean completion so far."""
        estimates = np.minimum(self.prompts.astype(np.int64) + max(self._expected_completion, 1), self._longest)
        return np.where(self.generated, self.prompts + self._completion_lengths, estimates)

    def add(self, indices: Int[np.ndarray, " new"], texts: Sequence[np.ndarray]) -> None:
        """Store texts that have been generated.

        Args:
            indices: which of the n texts they are.
            texts: their tokens, prompts included.
        """
        if not len(indices):
            return
        self._texts.update(zip(indices.tolist(), texts, strict=True))
        self._completion_lengths[indices] = [len(text) for text in texts] - self.prompts[indices]
        self.generated[indices] = True
        self._expected_completion = int(self._completion_lengths[self.generated].mean())
