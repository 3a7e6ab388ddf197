"""A population: the K models of a study, trained, scored and sampled together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, Key

from crossfeed.errors import CrossfeedError
from crossfeed.multihost import gathered

from ..data.texts import Rows
from ..data.tokenizer import Tokenizer
from ..model.config import TransformerConfig
from ..model.generate import complete
from ..model.placement import Batches, entity_mesh, place_models, place_rows, select, stack
from ..model.transformer import Transformer, abstract_transformer
from ..study.study import PoolSettings, TrainingSettings
from .training import (
    continue_training,
    own_token_losses,
    parts_of_training,
    start_training,
    token_losses,
    train,
    with_microbatch,
)

_MANY, _FEW = 64, 8
"""Completions that an entity generates side by side: many, or few where no more are left. Each size is compiled by itself."""
_PROMPT_STEP = 32
"""Prompts are padded to multiples of this length, so that few lengths are compiled."""

Report = Callable[[str, int], None]
"""Called with what is being done and the number of tokens processed since the last call."""


def check_finite(losses: Float[np.ndarray, "entity _"], where: str, of_steps: bool) -> None:
    """Check that training has not diverged.

    Args:
        losses: losses of training steps or of tests.
        where: seed, cell and generation, for the message.
        of_steps: whether they are those of training steps, of which the first is that of the untrained model.

    Raises:
        CrossfeedError: a loss is not finite; the message names the first entity with such a loss.
    """
    bad = np.flatnonzero(~np.isfinite(losses).all(axis=1))
    if len(bad):
        what = f"{where}: the loss of entity {bad[0] + 1} is not finite"
        if of_steps and not np.isfinite(losses[bad[0], 0]):
            raise CrossfeedError(
                f"{what} even before the first step: the model itself gives such numbers for its texts"
            )
        raise CrossfeedError(f"{what}; lower the learning rate, and start a new run")


@dataclass(frozen=True)
class Group:
    """Entities whose models have the same configuration.

    Attributes:
        members: numbers of the entities.
        models: their models, stacked: every parameter has a leading entity axis.
    """

    members: tuple[int, ...]
    models: Transformer


class Population:
    """The models of all entities.

    Args:
        groups: groups of models, every entity in one of them.
        tokenizer: tokenizer of all models.

    Attributes:
        groups: as given.
        tokenizer: as given.
        entities: number of entities.
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
        """A population of single models, which are grouped by their configuration.

        Args:
            models: model of each entity.
            tokenizer: tokenizer of all models.
            combine: function that stacks models of one configuration.
        """
        members: dict[object, list[int]] = {}
        for entity, model in enumerate(models):
            members.setdefault(model.config, []).append(entity)
        groups = [Group(tuple(numbers), combine([models[i] for i in numbers])) for numbers in members.values()]
        return cls(groups, tokenizer)

    @classmethod
    def shapes(cls, configs: Sequence[TransformerConfig], tokenizer: Tokenizer) -> "Population":
        """A population of shapes and dtypes instead of arrays, as `with_state` fills it; one configuration per entity."""
        models = [abstract_transformer(config) for config in configs]
        return cls.of(models, tokenizer, partial(jax.eval_shape, stack))

    def model(self, entity: int) -> Transformer:
        """Model of one entity."""
        group = next(group for group in self.groups if entity in group.members)
        return select(group.models, group.members.index(entity))

    @property
    def state(self) -> dict[str, dict[str, jax.Array | jax.ShapeDtypeStruct]]:
        """All parameters by the number of the group and the path within its models."""
        return {
            str(number): {
                jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(group.models)
            }
            for number, group in enumerate(self.groups)
        }

    def with_state(self, state: dict[str, dict[str, np.ndarray]], batch: int) -> "Population":
        """A population of the same shapes with other parameters, placed on devices as `train` leaves them.

        Sums over another placement round differently, so that a resumed run would differ.

        Args:
            state: the parameters, as the attribute `state` gives them.
            batch: rows per training step.
        """

        def restore(values: dict[str, np.ndarray], path: tuple[Any, ...], leaf: Any) -> np.ndarray:
            return np.asarray(values[jax.tree_util.keystr(path)], leaf.dtype)

        groups = []
        for number, group in enumerate(self.groups):
            models = jax.tree_util.tree_map_with_path(partial(restore, state[str(number)]), group.models)
            groups.append(Group(group.members, place_models(models, entity_mesh(len(group.members), batch))))
        return Population(groups, self.tokenizer)

    def train(
        self, rows: Sequence[Rows], training: TrainingSettings, report: Callable[[int], None] = lambda tokens: None
    ) -> tuple["Population", Float[np.ndarray, "entity step"]]:
        """The population after training, and the loss of each step.

        Args:
            rows: training rows of each entity.
            training: settings of the training.
            report: called with the number of tokens trained on since the last call, many times in a long training.
        """
        losses = np.zeros((self.entities, training.steps), np.float32)
        groups = []
        for group in self.groups:
            mesh = entity_mesh(len(group.members), training.batch)
            batches: Batches = place_rows([rows[i] for i in group.members], training.steps, mesh)
            models, placed = place_models(group.models, mesh), with_microbatch(training, mesh)
            models, losses[list(group.members)] = _trained(models, batches, placed, mesh, report)
            groups.append(Group(group.members, place_models(models, mesh)))
        return Population(groups, self.tokenizer), losses

    def losses(self, rows: Rows) -> Float[np.ndarray, "entity row length"]:
        """Loss of every counted token of common rows under every model, in nats; 0 at other tokens."""
        return self._gathered(
            [token_losses(group.models, rows.tokens, rows.segments, rows.counted) for group in self.groups]
        )

    def own_losses(self, rows: Sequence[Rows]) -> Float[np.ndarray, "entity row length"]:
        """Loss of every counted token of each entity's own rows, in nats; all entities have equally many rows."""
        parts = []
        for group in self.groups:
            members = [rows[i] for i in group.members]
            stacked = (np.stack([getattr(one, name) for one in members]) for name in ("tokens", "segments", "counted"))
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
        """Texts that each entity generates from its prompts: prompt, completion and end token.

        Args:
            prompts: tokens of each entity's prompts.
            settings: temperature, top_p and the greatest number of new tokens.
            longest: greatest number of tokens of a text; what is longer is cut off.
            key: random key.
            report: called with the number of tokens generated.
        """
        texts: list[list[np.ndarray]] = [[np.zeros(0, np.int32)] * len(asked) for asked in prompts]
        for group in self.groups:
            key, group_key = jax.random.split(key)
            # Prompts of similar length are completed together.
            orders = {k: np.argsort([len(prompt) for prompt in prompts[k]], kind="stable") for k in group.members}
            most = max(len(order) for order in orders.values())
            for start in range(0, most, _MANY):
                chunks = {k: order[start : start + _MANY] for k, order in orders.items()}
                block = _FEW if most - start <= _FEW else _MANY
                chunk_prompts = [[prompts[k][i] for i in chunk] for k, chunk in chunks.items()]
                tokens, lengths = _prompt_block(chunk_prompts, block)
                keys = jax.random.split(jax.random.fold_in(group_key, start), lengths.shape)
                generated = gathered(self._complete(group, tokens, lengths, keys, settings))
                count = 0
                for (k, chunk), completions in zip(chunks.items(), generated, strict=True):
                    for i, completion in zip(chunk, completions, strict=False):
                        prompt = prompts[k][i]
                        completion = self._cut(completion)[: min(longest, group.models.config.context) - len(prompt)]
                        count += len(completion)
                        texts[k][i] = np.concatenate([prompt, completion]).astype(np.int32)
                report("generating", count)
        return texts

    def generate_text(
        self, prompts: Sequence[np.ndarray], settings: PoolSettings, longest: int, key: jax.Array, report: Report
    ) -> list[list[str]]:
        """Completions of common prompts by each entity, as text.

        Args:
            prompts: tokens of the prompts.
            settings: as for `generate`.
            longest: as for `generate`.
            key: random key.
            report: as for `generate`.
        """
        generated = self.generate([prompts] * self.entities, settings, longest, key, report)
        return [
            [self.tokenizer.decode(text[len(prompt) :]) for text, prompt in zip(texts, prompts, strict=True)]
            for texts in generated
        ]

    def _complete(
        self,
        group: Group,
        tokens: Int[np.ndarray, "entity batch prompt"],
        lengths: Int[np.ndarray, "entity batch"],
        keys: Key[Array, "entity batch"],
        settings: PoolSettings,
    ) -> Int[Array, "entity batch new"]:
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
        """Tokens of a completion up to and including its end token."""
        ends = np.flatnonzero(completion == self.tokenizer.eos)
        return completion[: ends[0] + 1] if len(ends) else completion

    def _gathered(self, parts: Sequence[Array]) -> np.ndarray:
        """Results of the groups in the order of the entities, on the host."""
        first = parts[0]
        stacked = np.zeros((self.entities, *first.shape[1:]), first.dtype)
        for group, part in zip(self.groups, parts, strict=True):
            stacked[list(group.members)] = gathered(part)
        return stacked


def _prompt_block(prompts: list[list[np.ndarray]], block: int) -> tuple[np.ndarray, np.ndarray]:
    """Prompts of each entity, padded to [entity, block, length], and their lengths [entity, block], 0 where there is none."""
    longest = max((len(prompt) for asked in prompts for prompt in asked), default=1)
    width = -(-longest // _PROMPT_STEP) * _PROMPT_STEP
    tokens = np.zeros((len(prompts), block, width), np.int32)
    lengths = np.zeros((len(prompts), block), np.int32)
    for k, asked in enumerate(prompts):
        for i, prompt in enumerate(asked):
            tokens[k, i, : len(prompt)] = prompt
            lengths[k, i] = len(prompt)
    return tokens, lengths


def _with_slots(models: Transformer, slots: int) -> Transformer:
    """The same models with room for `slots` tokens in the cache.

    The padding between a prompt and its completion takes slots of the cache but no positions. Tokens beyond the model's last
    position are cut off by `Population.generate`.
    """
    if slots <= models.config.context:
        return models
    roomy = nnx.merge(*nnx.split(models))
    roomy.config = replace(models.config, context=slots)
    return roomy


def _trained(
    models: Transformer, batches: Batches, training: TrainingSettings, mesh: Mesh, report: Callable[[int], None]
) -> tuple[Transformer, Float[np.ndarray, "entity step"]]:
    """Placed models after training, and the loss of each step; a long training tells its progress between its parts."""
    parts, entities = parts_of_training(training.steps), len(batches[0])
    tokens = entities * training.rows * training.length // parts
    if parts == 1:
        models, losses = train(models, batches, training)
        found = gathered(losses)
        report(tokens)
        return models, found
    steps = training.steps // parts
    state = place_models(start_training(models, training), mesh)
    models = jax.tree.map(jnp.copy, models)  # the old ones are kept, and the memory of these is given up
    found = []
    for start in range(0, training.steps, steps):
        some = jax.tree.map(lambda leaf, start=start: leaf[:, start : start + steps], batches)
        models, state, losses = continue_training(models, state, some, training)
        models, state = place_models(models, mesh), place_models(state, mesh)
        found.append(gathered(losses))
        report(tokens)
    return models, np.concatenate(found, axis=1)
