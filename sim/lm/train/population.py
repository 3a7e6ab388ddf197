"""The K models of a study as one or, where sizes differ, a few stacked populations: train, score and write together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float

from crossfeed.errors import CrossfeedError
from crossfeed.multihost import gathered

from ..data.texts import Rows
from ..data.tokenizer import Tokenizer
from ..model.config import TransformerConfig
from ..model.generate import complete
from ..model.placement import Batches, entity_mesh, place_models, place_rows, select, stack
from ..model.transformer import Transformer
from ..study.study import PoolSettings, TrainingSettings
from .training import own_token_losses, rows_at_once, token_losses, train

_MANY, _FEW = 64, 8
"""Completions that an entity writes side by side: many, or few where no more are left. Other sizes would be compiled too."""
_PROMPT_STEP = 32
"""Prompts are padded to multiples of this, so that few lengths are compiled."""

Report = Callable[[str, int], None]
"""Is told what was done and how many tokens that took."""


def check_finite(losses: Float[np.ndarray, "entity _"], where: str) -> None:
    """See that training has not blown up.

    Args:
        losses: of training steps, or of tests.
        where: seed, cell and generation, for the message.

    Raises:
        CrossfeedError: a loss is not finite; names the first entity with one.
    """
    bad = np.flatnonzero(~np.isfinite(losses).all(axis=1))
    if len(bad):
        raise CrossfeedError(
            f"{where}: the loss of entity {bad[0] + 1} is not finite; lower the learning rate, and start a new run"
        )


@dataclass(frozen=True)
class Group:
    """Entities with models of one size.

    Attributes:
        members: their numbers.
        models: stacked.
    """

    members: tuple[int, ...]
    models: Transformer


class Population:
    """All entities' models.

    Args:
        groups: with every entity in one of them.
        tokenizer: of all models.
    """

    def __init__(self, groups: Sequence[Group], tokenizer: Tokenizer):
        self.groups, self.tokenizer = tuple(groups), tokenizer
        self.entities = sum(len(group.members) for group in groups)

    @classmethod
    def of(
        cls,
        models: Sequence[Transformer],
        tokenizer: Tokenizer,
        combine: Callable[[Sequence[Transformer]], Transformer] = stack,
    ) -> "Population":
        """Models grouped by their configuration."""
        members: dict[object, list[int]] = {}
        for entity, model in enumerate(models):
            members.setdefault(model.config, []).append(entity)
        return cls([Group(tuple(own), combine([models[i] for i in own])) for own in members.values()], tokenizer)

    @classmethod
    def shapes(cls, configs: Sequence[TransformerConfig], tokenizer: Tokenizer) -> "Population":
        """Of models of these configurations the shapes and types alone, which `with_state` fills."""
        models = [nnx.eval_shape(lambda config=config: Transformer(config, rngs=nnx.Rngs(0))) for config in configs]
        return cls.of(models, tokenizer, partial(jax.eval_shape, stack))

    def model(self, entity: int) -> Transformer:
        """One entity's model."""
        group = next(group for group in self.groups if entity in group.members)
        return select(group.models, group.members.index(entity))

    @property
    def state(self) -> dict[str, dict[str, jax.Array | jax.ShapeDtypeStruct]]:
        """All parameters by their places, group by group."""
        return {
            str(number): {
                jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(group.models)
            }
            for number, group in enumerate(self.groups)
        }

    def with_state(self, state: dict[str, dict[str, np.ndarray]], batch: int) -> "Population":
        """A population of these sizes with the parameters that `state` gives, laid out over devices as `train` leaves them.

        Sums over another layout round differently, and a resumed run would not be the same.

        Args:
            batch: rows of a training step.
        """
        groups = []
        for number, group in enumerate(self.groups):
            values = state[str(number)]
            take = lambda path, leaf, values=values: np.asarray(values[jax.tree_util.keystr(path)], leaf.dtype)  # noqa: E731
            models = jax.tree_util.tree_map_with_path(take, group.models)
            groups.append(Group(group.members, place_models(models, entity_mesh(len(group.members), batch))))
        return Population(groups, self.tokenizer)

    def train(
        self, rows: Sequence[Rows], training: TrainingSettings
    ) -> tuple["Population", Float[np.ndarray, "entity step"]]:
        """A population trained on, every entity on its rows; and the loss of each step."""
        losses = np.zeros((self.entities, training.steps), np.float32)
        groups = []
        for group in self.groups:
            mesh = entity_mesh(len(group.members), training.batch)
            batches: Batches = place_rows([rows[i] for i in group.members], training.steps, mesh)
            models, own = train(place_models(group.models, mesh), batches, rows_at_once(training, mesh))
            losses[list(group.members)] = gathered(own)
            groups.append(Group(group.members, place_models(models, mesh)))
        return Population(groups, self.tokenizer), losses

    def losses(self, rows: Rows) -> Float[np.ndarray, "entity row length"]:
        """Loss of every counted token of common rows under every model, in nats."""
        return self._gathered(
            [token_losses(group.models, rows.tokens, rows.segments, rows.counted) for group in self.groups]
        )

    def own_losses(self, rows: Sequence[Rows]) -> Float[np.ndarray, "entity row length"]:
        """Loss of every counted token of each entity's own rows, equally many for each."""
        parts = []
        for group in self.groups:
            mine = [rows[i] for i in group.members]
            stacked = (np.stack([getattr(one, name) for one in mine]) for name in ("tokens", "segments", "counted"))
            parts.append(own_token_losses(group.models, *stacked))
        return self._gathered(parts)

    def generate(
        self,
        prompts: Sequence[Sequence[np.ndarray]],
        settings: PoolSettings,
        longest: int,
        key: jax.Array,
        report: Report,
    ) -> list[list[np.ndarray]]:
        """Each entity completes its prompts; texts are prompt, completion and end mark, cut to `longest` tokens."""
        texts: list[list[np.ndarray]] = [[np.zeros(0, np.int32)] * len(own) for own in prompts]
        for group in self.groups:
            key, of_group = jax.random.split(key)
            # Prompts of like length are written together.
            orders = {i: sorted(range(len(prompts[i])), key=lambda at, i=i: len(prompts[i][at])) for i in group.members}
            most = max(len(order) for order in orders.values())
            for start in range(0, most, _MANY):
                chunks = {i: order[start : start + _MANY] for i, order in orders.items()}
                block = _FEW if most - start <= _FEW else _MANY
                tokens, lengths = _prompt_block(
                    [[prompts[i][at] for at in chunk] for i, chunk in chunks.items()], block
                )
                keys = jax.random.split(jax.random.fold_in(of_group, start), lengths.shape)
                generated = gathered(self._complete(group, tokens, lengths, keys, settings))
                count = 0
                for (i, chunk), own in zip(chunks.items(), generated, strict=True):
                    for at, completion in zip(chunk, own, strict=False):
                        room = min(longest, group.models.config.context) - len(prompts[i][at])
                        completion = self._cut(completion)[:room]
                        count += len(completion)
                        texts[i][at] = np.concatenate([prompts[i][at], completion]).astype(np.int32)
                report("generating", count)
        return texts

    def generate_text(
        self, prompts: Sequence[np.ndarray], settings: PoolSettings, longest: int, key: jax.Array, report: Report
    ) -> list[list[str]]:
        """Each entity's completions of common prompts, as text."""
        generated = self.generate([prompts] * self.entities, settings, longest, key, report)
        plain = lambda text, prompt: self.tokenizer.decode(text[len(prompt) :])  # noqa: E731
        return [[plain(text, prompt) for text, prompt in zip(own, prompts, strict=True)] for own in generated]

    def _complete(self, group: Group, tokens, lengths, keys, settings: PoolSettings):
        return complete(
            _with_slots(group.models, tokens.shape[-1] + settings.new_tokens),
            tokens,
            lengths,
            keys,
            new_tokens=settings.new_tokens,
            stop=self.tokenizer.eos,
            temperature=settings.temperature,
            top_p=settings.top_p,
        )

    def _cut(self, completion: np.ndarray) -> np.ndarray:
        """A completion up to its end mark, which stays."""
        ends = np.flatnonzero(completion == self.tokenizer.eos)
        return completion[: ends[0] + 1] if len(ends) else completion

    def _gathered(self, parts: Sequence) -> np.ndarray:
        """The groups' results in the order of the entities."""
        first = parts[0]
        stacked = np.zeros((self.entities, *first.shape[1:]), first.dtype)
        for group, part in zip(self.groups, parts, strict=True):
            stacked[list(group.members)] = gathered(part)
        return stacked


def _prompt_block(prompts: list[list[np.ndarray]], block: int) -> tuple[np.ndarray, np.ndarray]:
    """Prompts as tokens [entity, block, length] and lengths [entity, block], 0 where there is none."""
    longest = max((len(prompt) for own in prompts for prompt in own), default=1)
    width = -(-longest // _PROMPT_STEP) * _PROMPT_STEP
    tokens = np.zeros((len(prompts), block, width), np.int32)
    lengths = np.zeros((len(prompts), block), np.int32)
    for k, own in enumerate(prompts):
        for i, prompt in enumerate(own):
            tokens[k, i, : len(prompt)] = prompt
            lengths[k, i] = len(prompt)
    return tokens, lengths


def _with_slots(models: Transformer, slots: int) -> Transformer:
    """The same models with as many slots for tokens: the padding of a block takes slots, but positions only its texts do.

    What a row writes beyond its last position is cut off by `generate`.
    """
    if slots <= models.config.context:
        return models
    roomy = nnx.merge(*nnx.split(models))
    roomy.config = replace(models.config, context=slots)
    return roomy
