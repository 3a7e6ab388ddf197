"""What to run: entities, public text, model, training, pool and measures, as plain records."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

PYTHON = "python"
"""The public text that every machine has."""
SCRATCH = "scratch"
"""The base that is a new model."""


@dataclass(frozen=True)
class ModelSettings:
    """The model that training starts from.

    Attributes:
        base: a checkpoint (folder or .bin file), or 'scratch' for a new model.
        layers: of a new model, as the next three.
        width: of its residual stream.
        heads: of its attention.
        context: its longest sequence, in tokens.
        pretrain_steps: how many steps the base trains before generation 0; of a checkpoint, 0 unless given.
        pretrain_rate: learning rate of these steps.
        pretrain_private: weight of the entities' tasks, all alike, against public text in them: what a pretrained model
            knows of every task.
        precision: of activations.
    """

    base: str = SCRATCH
    layers: int = 2
    width: int = 64
    heads: int = 4
    context: int = 512
    pretrain_steps: int = 200
    pretrain_rate: float = 3e-3
    pretrain_private: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True)
class EntitySettings:
    """One entity: its private task, and its model where that differs from [model].

    Attributes:
        task: a built-in task, a JSONL file, or a name for the `datasets` library.
        test: JSONL file of the held-out part; if empty, every tenth example of `task`, 1000 at most.
        base: as in [model].
        layers: as in [model].
        width: as in [model].
    """

    task: str
    test: str = ""
    base: str = ""
    layers: int = 0
    width: int = 0


@dataclass(frozen=True)
class TrainingSettings:
    """One generation's training: AdamW with linear warm-up and linear decay, anew each generation.

    Attributes:
        steps: optimizer steps.
        batch: rows a step.
        microbatch: rows whose gradients are computed together and added up over the batch; 0 leaves it to the machine.
        length: tokens a row, packed with texts.
        learning_rate: at its highest; of new models, 1e-3 unless a study's file says otherwise.
        warmup: part of the steps in which it rises.
        weight_decay: AdamW's.
        beta1: AdamW's.
        beta2: AdamW's.
        clip: greatest norm of a gradient.
        loss: whether the loss counts the whole text or its completion only. Public text is counted whole.
        start: whether a generation trains on from the entity's last model or from the base.
        remat: compute what is inside a block a second time in the backward pass instead of keeping it in memory.
    """

    steps: int = 100
    batch: int = 4
    microbatch: int = 0
    length: int = 512
    learning_rate: float = 8e-6
    warmup: float = 0.025
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    clip: float = 1.0
    loss: Literal["text", "completion"] = "text"
    start: Literal["previous", "base"] = "previous"
    remat: bool = False

    @property
    def rows(self) -> int:
        """Number of rows that a generation trains on."""
        return self.steps * self.batch


@dataclass(frozen=True)
class InitialSettings:
    """Where generation 0 differs from the others: in the paper, models begin well trained and alike in every cell.

    Attributes:
        beta: weight of private data; each cell's own if negative.
        steps: optimizer steps; `training.steps` if 0.
        learning_rate: at its highest; `training.learning_rate` if 0.
    """

    beta: float = -1.0
    steps: int = 0
    learning_rate: float = 0.0


@dataclass(frozen=True)
class PoolSettings:
    """What entities publish.

    Attributes:
        prompts: from their own task (the paper), from all private data alike ('common'), from the next entity's task
            ('other', the misaligned case), or the beginnings of public text.
        temperature: of sampling; 0 takes the likeliest token.
        top_p: the likeliest tokens that make up this probability are sampled from.
        new_tokens: longest completion.
        shares: of the entities in the pool; equal if empty.
        fresh: part of a draw from the pool that is human data instead, never used before.
        candidates: completions written for each prompt, of which the best is published; 1 publishes all.
        judge: what makes a candidate best: the right answer first, or its likelihood alone.
    """

    prompts: Literal["own", "common", "other", "public"] = "own"
    temperature: float = 1.0
    top_p: float = 1.0
    new_tokens: int = 128
    shares: tuple[float, ...] = ()
    fresh: float = 0.0
    candidates: int = 1
    judge: Literal["answer", "likelihood"] = "answer"


@dataclass(frozen=True)
class MeasureSettings:
    """What is measured after a generation.

    Attributes:
        test_items: test examples of each task whose loss is taken.
        text_items: test examples and public passages that are completed, for accuracy, similarity and diversity; the loss on
            public text is taken on these passages.
        text_every: in which generations they are completed: every so many, and in the first and last.
        embedding: of similarity and the Vendi score: "builtin", or the name of a Sentence-Transformers model.
    """

    test_items: int = 200
    text_items: int = 200
    text_every: int = 1
    embedding: str = "builtin"


@dataclass(frozen=True)
class Study:
    """A study, checked: every combination of α, β and seed is one cell, in which K entities train for T generations.

    Attributes:
        alpha: weights of new synthetic data.
        beta: weights of private against public real data.
        seeds: of everything random.
        generations: T.
        samples: n, texts drawn for a generation's training set.
        entities: the K entities.
        public: text files: a folder, a .txt file, 'python', or a name for the `datasets` library.
        vocabulary: tokens of a new tokenizer, trained on public and private text, if the base brings none.
        tokenizer: of a .bin checkpoint.
    """

    alpha: tuple[float, ...]
    beta: tuple[float, ...]
    entities: tuple[EntitySettings, ...]
    seeds: tuple[int, ...] = (0,)
    generations: int = 15
    samples: int = 12_500
    public: str = PYTHON
    vocabulary: int = 1024
    tokenizer: str = ""
    model: ModelSettings = field(default_factory=ModelSettings)
    initial: InitialSettings = field(default_factory=InitialSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    measures: MeasureSettings = field(default_factory=MeasureSettings)

    @property
    def bases(self) -> tuple[str, ...]:
        """What the model of each entity starts from, as `ModelSettings.base`."""
        return tuple(entity.base or self.model.base for entity in self.entities)

    @property
    def at_first(self) -> "Study":
        """The study with generation 0's training."""
        steps, rate = self.initial.steps, self.initial.learning_rate
        training = replace(self.training, steps=steps or self.training.steps)
        return replace(self, training=replace(training, learning_rate=rate or training.learning_rate))

    def initial_beta(self, beta: float) -> float:
        """β of generation 0 in a cell with this β."""
        return beta if self.initial.beta < 0 else self.initial.beta

    @property
    def shares(self) -> np.ndarray:
        """Of the entities in the pool, summing to 1."""
        return np.array(self.pool.shares or [1 / len(self.entities)] * len(self.entities))

    def as_dict(self) -> dict[str, Any]:
        """Plain values: equal studies have equal ones."""
        return json.loads(json.dumps(asdict(self)))

    def fingerprint(self) -> str:
        """Equal for equal studies only."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()


SECTIONS = {
    "model": ModelSettings,
    "initial": InitialSettings,
    "training": TrainingSettings,
    "pool": PoolSettings,
    "measures": MeasureSettings,
}
"""The tables of a study's file that are one record each."""


def from_dict(values: dict[str, Any]) -> Study:
    """The study that `Study.as_dict` wrote down."""
    sections: dict[str, Any] = {name: kind(**_tupled(values[name])) for name, kind in SECTIONS.items()}
    entities = tuple(EntitySettings(**entity) for entity in values["entities"])
    fields: dict[str, Any] = _tupled(values) | sections | {"entities": entities}
    return Study(**fields)


def _tupled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
