"""Base models that training starts from: pretrained or new ones, first trained on public text and, if asked for, the tasks."""

from contextlib import closing
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from flax import nnx

from crossfeed.random_keys import seeded_key

from ..data.texts import Rows, pack
from ..model.config import TransformerConfig, llama_config
from ..model.transformer import Transformer
from ..study.study import SCRATCH, EntitySettings, Study, TrainingSettings
from ..train.population import Population, Report, check_finite
from .checkpointing import Checkpoints
from .inputs import Inputs


def model_configs(study: Study, inputs: Inputs) -> list[TransformerConfig]:
    """Configuration of each entity's model."""
    if SCRATCH not in study.bases:
        return [inputs.pretrained[name].model.config for name in study.bases]
    return [_config(study, entity, inputs.tokenizer.size) for entity in study.entities]


_Base = str | TransformerConfig
"""Name of a pretrained model, or configuration of a new one."""


def _untrained(study: Study, inputs: Inputs, seed: int) -> tuple[list[_Base], dict[_Base, Transformer]]:
    """Base of each entity, and the model of each base before it is trained."""
    if SCRATCH not in study.bases:
        return [*study.bases], {name: inputs.pretrained[name].model for name in dict.fromkeys(study.bases)}
    configs = model_configs(study, inputs)
    return [*configs], {
        config: Transformer(config, rngs=nnx.Rngs(seeded_key(seed))) for config in dict.fromkeys(configs)
    }


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
    """Base models of the entities, for each seed; trained when they are first asked for, and restored when they were before.

    Args:
        study: the study.
        inputs: its texts, tokenizer and pretrained models.
        folder: folder of the run, which keeps the trained bases.
        report: called with what is being done and the number of tokens processed since the last call.

    Attributes:
        population: function from a seed to the base models.
    """

    def __init__(self, study: Study, inputs: Inputs, folder: Path, report: Report):
        self._study, self._inputs, self._folder, self._report = study, inputs, folder, report
        # If only generation 0 starts from them, they need no memory after it.
        kept = 1 if study.training.start == "base" else 0
        self.population = lru_cache(maxsize=kept)(self._population)

    def _population(self, seed: int) -> Population:
        bases, models = _untrained(self._study, self._inputs, seed)
        trained = {base: self._trained(model, number, seed) for number, (base, model) in enumerate(models.items())}
        return Population.of([trained[base] for base in bases], self._inputs.tokenizer)

    def _trained(self, model: Transformer, number: int, seed: int) -> Transformer:
        """Base model `number` after its training, which is the same for all entities that start from it."""
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
            self._report(what, 0)
            trained, losses = alone.train([self._rows(training, seed)], training, partial(self._report, what))
            check_finite(losses, what, of_steps=True)
            checkpoints.save(0, trained.state)
            self._report("", 0)
        return trained.model(0)

    def _rows(self, training: TrainingSettings, seed: int) -> Rows:
        """Training rows of the base: texts drawn i.i.d. from public text and, with weight `pretrain_private`, from all tasks."""
        corpus = self._inputs.corpus
        sources = [corpus.public, *corpus.private]
        private = self._study.model.pretrain_private
        weights = np.array([1 - private, *[private / len(corpus.private)] * len(corpus.private)])
        mean = weights @ [texts.lengths.mean() for texts in sources]
        random = np.random.default_rng([seed, 2**31])
        # Twice as many as the rows hold on average, so that they are filled.
        source = random.choice(len(sources), size=2 * int(training.rows * training.length / mean) + 16, p=weights)
        index = (random.random(len(source)) * np.array([len(texts) for texts in sources])[source]).astype(np.int64)
        texts = [sources[s][i] for s, i in zip(source, index, strict=True)]
        fitting = 1 + int(np.searchsorted(np.cumsum([len(text) for text in texts]), training.rows * training.length))
        prompts = np.array([sources[s].prompts[i] for s, i in zip(source[:fitting], index[:fitting], strict=True)])
        return pack(texts[:fitting], prompts, training.rows, training.length, np.ones(len(prompts), bool))
