"""What training starts from: checkpoints or new models, trained on public text and tasks first."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from flax import nnx

from ..data.texts import Rows, pack
from ..model.config import TransformerConfig, llama_config
from ..model.transformer import Transformer
from ..study.study import SCRATCH, EntitySettings, Study, TrainingSettings
from ..train.population import Population, check_finite
from .checkpointing import Checkpoints
from .inputs import Inputs


def model_configs(study: Study, inputs: Inputs) -> list[TransformerConfig]:
    """The form of every entity's model."""
    if SCRATCH not in study.bases:
        return [inputs.pretrained[name].model.config for name in study.bases]
    return [_config(study, entity, inputs.tokenizer.size) for entity in study.entities]


_Kind = str | TransformerConfig
"""A checkpoint by its name, or the form of a new model."""


def _untrained(study: Study, inputs: Inputs, seed: int) -> tuple[list[_Kind], dict[_Kind, Transformer]]:
    """The kind of every entity's model, and a model of each kind."""
    if SCRATCH not in study.bases:
        return [*study.bases], {name: inputs.pretrained[name].model for name in dict.fromkeys(study.bases)}
    configs = model_configs(study, inputs)
    return [*configs], {config: Transformer(config, rngs=nnx.Rngs(seed)) for config in dict.fromkeys(configs)}


def _config(study: Study, entity: EntitySettings, vocabulary: int) -> TransformerConfig:
    model = study.model
    width = entity.width or model.width
    return llama_config(
        vocabulary=vocabulary,
        hidden=width,
        layers=entity.layers or model.layers,
        heads=model.heads,
        feed_forward=-(-8 * width // 3 // 8) * 8,
        context=model.context,
        dtype=model.precision,
        remat=study.training.remat,
    )


class Bases:
    """The models that training starts from, one for each entity and seed.

    Args:
        folder: where new models are kept once they are trained.
        tell: is told what is done and how many tokens that took.
    """

    def __init__(self, study: Study, inputs: Inputs, folder: Path, tell: Callable[[str, int], None]):
        self._study, self._inputs, self._folder, self._tell = study, inputs, folder, tell
        # Otherwise only generation 0 starts from them, and they need no memory after it.
        kept = 1 if study.training.start == "base" else 0
        self.population = lru_cache(maxsize=kept)(self._population)

    def _population(self, seed: int) -> Population:
        kinds, models = _untrained(self._study, self._inputs, seed)
        made = {kind: self._trained(model, number, seed) for number, (kind, model) in enumerate(models.items())}
        return Population.of([made[kind] for kind in kinds], self._inputs.tokenizer)

    def _trained(self, model: Transformer, number: int, seed: int) -> Transformer:
        """The checkpoint or new model `number`, trained on what all entities start from."""
        study = self._study
        steps = study.model.pretrain_steps
        if not steps:
            return model
        alone = Population.of([model], self._inputs.tokenizer)
        what = f"seed {seed}: training the base" + (f" {number + 1}" if number else "")
        with closing(Checkpoints(self._folder / "base" / f"seed{seed}_{number}")) as checkpoints:
            if checkpoints.latest is not None:
                return alone.with_state(checkpoints.restore(alone.state), study.training.batch).model(0)
            training = replace(study.training, steps=steps, learning_rate=study.model.pretrain_rate, warmup=0.1)
            self._tell(what, 0)
            trained, losses = alone.train([self._rows(training, seed)], training)
            check_finite(losses, what)
            checkpoints.save(0, trained.state)
            self._tell("", steps * training.batch * training.length)
        return trained.model(0)

    def _rows(self, training: TrainingSettings, seed: int) -> Rows:
        """Texts drawn i.i.d., public ones and, with weight `pretrain_private`, those of all tasks alike."""
        corpus = self._inputs.corpus
        shelves = [corpus.public, *corpus.private]
        private = self._study.model.pretrain_private
        weights = np.array([1 - private, *[private / len(corpus.private)] * len(corpus.private)])
        count = training.steps * training.batch
        mean = weights @ [shelf.lengths.mean() for shelf in shelves]
        random = np.random.default_rng([seed, 2**31])
        source = random.choice(len(shelves), size=2 * int(count * training.length / mean) + 16, p=weights)
        index = (random.random(len(source)) * np.array([len(shelf) for shelf in shelves])[source]).astype(np.int64)
        texts = [shelves[s][i] for s, i in zip(source, index, strict=True)]
        fitting = 1 + int(np.searchsorted(np.cumsum([len(text) for text in texts]), count * training.length))
        prompts = np.array([shelves[s].prompts[i] for s, i in zip(source[:fitting], index[:fitting], strict=True)])
        return pack(texts[:fitting], prompts, count, training.length, np.ones(len(prompts), bool))
