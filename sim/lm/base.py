"""What training starts from: checkpoints, or new models trained on public text first; and the tokenizer they share."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from flax import nnx

from ...theory.failures import InvalidInput
from .checkpoints import load_checkpoint
from .config import TransformerConfig, llama_config
from .corpus import Corpus, Material
from .population import Population, check_finite
from .run_folder import Checkpoints
from .study import EntitySettings, Study, TrainingSettings
from .texts import Rows, pack
from .tokenizer import Tokenizer, train_tokenizer
from .transformer import Transformer

SCRATCH = "scratch"


def make_tokenizer(study: Study, material: Material) -> Tokenizer:
    """The checkpoint's tokenizer, or a new one trained on the public and private training text.

    Raises:
        InvalidInput: the checkpoints' tokenizers differ, or one cannot be read.
    """
    bases = sorted({entity.base or study.model.base for entity in study.entities})
    if bases == [SCRATCH]:
        private = (f"{example.prompt}{example.completion}" for task in material.tasks for example in task.train)
        return train_tokenizer([*material.public, *private], study.vocabulary)
    tokenizer = load_checkpoint(bases[0], study.tokenizer or None).tokenizer
    for base in bases[1:] if not study.tokenizer else []:
        if not tokenizer.same_as(load_checkpoint(base).tokenizer):
            raise InvalidInput(
                f"the tokenizers of {bases[0]} and {base} differ, but all entities read and write the same tokens"
            )
    return tokenizer


class Bases:
    """The models that training starts from, one for each entity and seed.

    Args:
        folder: where new models are kept once they are trained.
        tell: is told what is done and how many tokens that took.
    """

    def __init__(
        self, study: Study, corpus: Corpus, tokenizer: Tokenizer, folder: Path, tell: Callable[[str, int], None]
    ):
        self._study, self._corpus, self._tokenizer, self._folder, self._tell = study, corpus, tokenizer, folder, tell
        self.population = lru_cache(maxsize=1)(self._population)

    def _population(self, seed: int) -> Population:
        study = self._study
        bases = [entity.base or study.model.base for entity in study.entities]
        if SCRATCH not in bases:
            loaded = {base: self._loaded(base) for base in dict.fromkeys(bases)}
            return Population.of([loaded[base] for base in bases], self._tokenizer)
        configs = [self._config(entity) for entity in study.entities]
        made = {config: self._new(config, seed) for config in dict.fromkeys(configs)}
        return Population.of([made[config] for config in configs], self._tokenizer)

    def _loaded(self, base: str) -> Transformer:
        # A step at a usual learning rate is below what bfloat16 resolves, and float16 overflows.
        model = load_checkpoint(
            base,
            self._study.tokenizer or None,
            dtype=self._study.model.precision,
            parameter_dtype="float32",
            remat=self._study.training.remat,
        ).model
        if model.config.vocabulary < self._tokenizer.size:
            raise InvalidInput(
                f"{base} has {model.config.vocabulary} tokens, but the tokenizer has {self._tokenizer.size}"
            )
        if model.config.context < self._study.training.length:
            raise InvalidInput(
                f"training.length is {self._study.training.length}, above the context of {base}, {model.config.context}"
            )
        return model

    def _config(self, entity: EntitySettings) -> TransformerConfig:
        model = self._study.model
        width = entity.width or model.width
        return llama_config(
            vocabulary=self._tokenizer.size,
            hidden=width,
            layers=entity.layers or model.layers,
            heads=model.heads,
            feed_forward=-(-8 * width // 3 // 8) * 8,
            context=model.context,
            dtype=model.precision,
            remat=self._study.training.remat,
        )

    def _new(self, config: TransformerConfig, seed: int) -> Transformer:
        """A new model of this size, trained on the public text."""
        study = self._study
        fresh = Population.of([Transformer(config, rngs=nnx.Rngs(seed))], self._tokenizer)
        steps = study.model.pretrain_steps
        if not steps:
            return fresh.model(0)
        name = f"seed{seed}_width{config.hidden}_layers{config.layers}"
        with closing(Checkpoints(self._folder / "base" / name)) as checkpoints:
            if checkpoints.latest is not None:
                return fresh.with_state(checkpoints.restore(fresh.state), study.training.batch).model(0)
            training = replace(study.training, steps=steps, learning_rate=study.model.pretrain_rate, warmup=0.1)
            self._tell(f"seed {seed}: training a new model on the public text", 0)
            rows = self._public_rows(training, seed)
            trained, losses = fresh.train([rows], training)
            check_finite(losses, f"seed {seed}, new model of width {config.hidden} on the public text")
            checkpoints.save(0, trained.state)
            self._tell("", int((rows.segments > 0).sum()))
        return trained.model(0)

    def _public_rows(self, training: TrainingSettings, seed: int) -> Rows:
        """Passages in random order, again and again, one or more a row."""
        public = self._corpus.public
        count = training.steps * training.batch
        random = np.random.default_rng([seed, 2**31])
        rounds = 1 + -(-count * training.length // int(public.lengths.sum()))
        order = np.concatenate([random.permutation(len(public)) for _ in range(rounds)])
        order = order[: 1 + int(np.searchsorted(np.cumsum(public.lengths[order]), count * training.length))]
        return pack(
            [public[i] for i in order], public.prompts[order], count, training.length, np.ones(len(order), bool)
        )
