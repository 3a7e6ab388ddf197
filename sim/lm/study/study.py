"""Settings of a study as plain records: entities, public text, model, training, pool and measures."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crossfeed.errors import InvalidInput

PYTHON = "python"
"""Name of the built-in public text, the documentation shipped with Python."""
SCRATCH = "scratch"
"""Value of `model.base` for a new model."""


@dataclass(frozen=True)
class ModelSettings:
    """Model that training starts from.

    Attributes:
        base: a pretrained model (folder or .bin file), or 'scratch' for a new model.
        layers: number of layers of a new model.
        width: width of the residual stream of a new model.
        heads: number of attention heads of a new model.
        context: length of the longest sequence of a new model, in tokens.
        pretrain_steps: number of steps that the base trains before generation 0; 0 for a pretrained model unless given.
        pretrain_rate: learning rate of these steps.
        pretrain_private: weight of all tasks together against public text in these steps: how much a base knows of every task.
        precision: dtype of the activations.
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
    """Entity: its private task, and its model where that differs from `ModelSettings`.

    Attributes:
        task: a built-in task, a JSONL file, or the name of a data set for the `datasets` library.
        test: JSONL file of held-out examples; if empty, every tenth example of `task` is held out, 1000 at most.
        base: as in `ModelSettings`, which also decides if this is empty.
        layers: as in `ModelSettings`, which also decides if this is 0.
        width: as in `ModelSettings`, which also decides if this is 0.
    """

    task: str
    test: str = ""
    base: str = ""
    layers: int = 0
    width: int = 0


@dataclass(frozen=True)
class TrainingSettings:
    """Training of one generation: AdamW with linear warm-up and linear decay, restarted each generation.

    Attributes:
        steps: number of optimizer steps.
        batch: rows per step.
        microbatch: rows whose gradients are computed together, before they are summed over the batch; 0 if it depends on the
            device.
        length: tokens per row; rows are packed with texts.
        learning_rate: peak learning rate; for new models, a study's file sets 1e-3 by default.
        warmup: share of the steps in which the learning rate rises.
        weight_decay: weight decay of AdamW.
        beta1: decay rate of AdamW's first moment.
        beta2: decay rate of AdamW's second moment.
        clip: greatest norm of a gradient, to which longer ones are clipped.
        loss: whether the loss counts whole texts or their completions only. Public text is always counted whole.
        start: whether a generation starts from the entity's previous model or from the base.
        remat: whether the backward pass recomputes blocks instead of keeping their intermediate results in memory.
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
    """Settings in which generation 0 differs from the others.

    In the paper, models are well trained at the start, and the same in every cell.

    Attributes:
        beta: weight of private data; that of each cell if negative.
        steps: number of optimizer steps; `training.steps` if 0.
        learning_rate: peak learning rate; `training.learning_rate` if 0.
    """

    beta: float = -1.0
    steps: int = 0
    learning_rate: float = 0.0


@dataclass(frozen=True)
class PoolSettings:
    """Pool of texts that entities publish.

    Attributes:
        prompts: prompts that an entity completes: of its own task (the paper), of all tasks and the same for all entities
            ('common'), of the next entity's task ('other', the misaligned case), or beginnings of public text ('public').
        temperature: temperature of the sampling; 0 selects the likeliest token.
        top_p: only the likeliest tokens that make up this probability are sampled.
        new_tokens: greatest number of tokens of a completion.
        shares: share of each entity in the pool; equal if empty.
        fresh: share of fresh human text in the pool, which no earlier generation has read.
        candidates: number of completions generated for each prompt, of which the best is published.
        judge: which candidate is best: one with the right answer, then the likeliest; or the likeliest whatever its answer.
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
    """Measures taken after a generation.

    Attributes:
        test_items: number of test examples of each task whose loss is measured.
        text_items: number of test examples of each task, and of public passages, that are completed to measure accuracy,
            similarity and diversity; the loss on public text is that of these passages.
        text_every: interval of the generations after which they are completed; the first and the last are always among these.
        embedding: embedding for similarity and the Vendi score: 'builtin', or the name of a Sentence-Transformers model.
    """

    test_items: int = 200
    text_items: int = 200
    text_every: int = 1
    embedding: str = "builtin"


@dataclass(frozen=True)
class Study:
    """A study. Every combination of α, β and seed is one cell, in which K entities train for T generations.

    `read_study` makes it from a TOML file and checks it.

    Attributes:
        alpha: values of α, the weight of synthetic against real data.
        beta: values of β, the weight of private against public real data.
        entities: the K entities.
        seeds: seeds of everything random.
        generations: T, the number of generations after generation 0.
        samples: n, the number of texts drawn for one entity and generation.
        public: public text: a folder, a .txt or .md file, 'python', or the name of a data set for the `datasets` library.
        vocabulary: number of tokens of a new tokenizer, trained on public and private text where models are new.
        tokenizer: path of the tokenizer of a pretrained model, if it is not beside the model.
        model: settings of the models.
        initial: settings of generation 0.
        training: settings of the training.
        pool: settings of the pool of published texts.
        measures: settings of the measures.
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
        """Base of each entity's model, as `ModelSettings.base`."""
        return tuple(entity.base or self.model.base for entity in self.entities)

    @property
    def at_first(self) -> "Study":
        """The study with the training settings of generation 0."""
        steps, rate = self.initial.steps, self.initial.learning_rate
        training = replace(self.training, steps=steps or self.training.steps)
        return replace(self, training=replace(training, learning_rate=rate or training.learning_rate))

    def initial_beta(self, beta: float) -> float:
        """Weight β of generation 0 in a cell with this β."""
        return beta if self.initial.beta < 0 else self.initial.beta

    @property
    def shares(self) -> np.ndarray:
        """Share of each entity in the pool; they sum to 1."""
        return np.array(self.pool.shares or [1 / len(self.entities)] * len(self.entities))

    def as_dict(self) -> dict[str, Any]:
        """Settings as plain values, which JSON can hold."""
        return json.loads(json.dumps(asdict(self)))

    def without_places(self) -> dict[str, Any]:
        """Settings as plain values, with numbers in place of the paths of files, which may lie elsewhere on another machine."""
        numbers: dict[str, str] = {}

        def placeless(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: placeless(inner) for name, inner in value.items()}
            if isinstance(value, list):
                return [placeless(inner) for inner in value]
            if isinstance(value, str) and Path(value).is_absolute():
                return numbers.setdefault(value, f"file {len(numbers) + 1}")
            return value

        return placeless(self.as_dict())

    def fingerprint(self) -> str:
        """Hash of all settings, which identifies the study."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()


SECTIONS = {
    "model": ModelSettings,
    "initial": InitialSettings,
    "training": TrainingSettings,
    "pool": PoolSettings,
    "measures": MeasureSettings,
}
"""Tables of a study's TOML file, and the records that hold them."""


def from_dict(values: Any, source: str = "the study") -> Study:
    """Study from the values of `Study.as_dict`.

    Args:
        values: the values.
        source: where they were found, for messages.

    Raises:
        InvalidInput: they are not those of a study.
    """
    try:
        sections: dict[str, Any] = {name: settings(**_tupled(values[name])) for name, settings in SECTIONS.items()}
        entities = tuple(EntitySettings(**entity) for entity in values["entities"])
        fields: dict[str, Any] = _tupled(values) | sections | {"entities": entities}
        return Study(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{source} is damaged, or of another version of crossfeed{why_unreadable(error)}") from error


def why_unreadable(error: Exception) -> str:
    """End of a sentence on a record that cannot be read: what it lacks or has too much, if that is why."""
    if isinstance(error, InvalidInput):
        return f": {error}"
    if isinstance(error, KeyError):
        return f": it lacks {error}"
    unknown = re.search(r"unexpected keyword argument ('.*')", str(error))
    return f": it has the entry {unknown[1]}" if unknown else ""


def _tupled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
