"""Prompts that entities complete: the rule that says whose, and the prompts of a generation."""

from abc import ABC, abstractmethod

from ..data.texts import Texts
from ..study.corpus import Corpus
from ..study.study import Study
from .published import PublishedTexts
from .random_streams import Purpose, random_stream


class PromptRule(ABC):
    """Rule that says which prompts an entity completes."""

    @abstractmethod
    def source(self, corpus: Corpus, entity: int) -> Texts:
        """Texts whose prompts the entity completes."""

    def stream(self, entity: int) -> int:
        """Number of the random stream that draws the entity's prompts; entities with equal ones draw the same."""
        return entity


class OwnPrompts(PromptRule):
    """Prompts of the entity's own task, as in the paper."""

    def source(self, corpus: Corpus, entity: int) -> Texts:
        """Private texts of the entity."""
        return corpus.private[entity]


class CommonPrompts(PromptRule):
    """Prompts of all tasks together, the same ones for every entity."""

    def source(self, corpus: Corpus, entity: int) -> Texts:
        """Private texts of all entities."""
        return corpus.all_private

    def stream(self, entity: int) -> int:
        """One stream for all entities."""
        return 0


class OtherPrompts(PromptRule):
    """Prompts of the next entity's task: the misaligned case."""

    def source(self, corpus: Corpus, entity: int) -> Texts:
        """Private texts of the next entity; the last entity takes those of the first."""
        return corpus.private[(entity + 1) % len(corpus.private)]


class PublicPrompts(PromptRule):
    """Beginnings of passages of public text."""

    def source(self, corpus: Corpus, entity: int) -> Texts:
        """Passages of public text."""
        return corpus.public


PROMPT_RULES: dict[str, PromptRule] = {
    "own": OwnPrompts(),
    "common": CommonPrompts(),
    "other": OtherPrompts(),
    "public": PublicPrompts(),
}
"""Prompt rules by their names in `pool.prompts`."""


def draw_prompts(study: Study, corpus: Corpus, seed: int, generation: int) -> list[PublishedTexts]:
    """Prompts that each entity completes and publishes: n drawn i.i.d. by the rule of `pool.prompts`, none completed yet."""
    rule = PROMPT_RULES[study.pool.prompts]
    published = []
    for entity in range(len(corpus.private)):
        source = rule.source(corpus, entity)
        random = random_stream(seed, generation, rule.stream(entity), Purpose.PROMPTS)
        chosen = random.integers(0, len(source), study.samples)
        published.append(PublishedTexts(source, chosen, study.pool.new_tokens, study.training.length))
    return published
