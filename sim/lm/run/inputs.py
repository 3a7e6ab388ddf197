"""What a study runs on, read and checked before anything is computed: text, checkpoints, the tokenizer they share."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax
import numpy as np

from crossfeed.errors import InvalidInput, naming

from ..data.tokenizer import Tokenizer, train_tokenizer
from ..model.formats.pretrained import Checkpoint, load_pretrained
from ..study.corpus import Corpus, Material, make_corpus, read_material
from ..study.study import SCRATCH, Study


@dataclass(frozen=True)
class Inputs:
    """What a study runs on.

    Attributes:
        checkpoints: that entities start from, by their names in the study; none where models are new.
    """

    material: Material
    corpus: Corpus
    tokenizer: Tokenizer
    checkpoints: Mapping[str, Checkpoint]

    def fingerprints(self) -> dict[str, str]:
        """Of the texts and of the checkpoints: equal for equal ones only."""
        digest = hashlib.sha256()
        for _, checkpoint in sorted(self.checkpoints.items()):
            for leaf in jax.tree.leaves(checkpoint.model):
                digest.update(np.asarray(leaf).tobytes())
        # Tests that are left out now are not in the corpus, but `evaluate` may ask for more.
        tests = repr([task.test for task in self.material.tasks]).encode()
        texts = hashlib.sha256(self.corpus.fingerprint().encode() + tests).hexdigest()
        return {"texts": texts, "checkpoints": digest.hexdigest()}


def read_inputs(study: Study) -> Inputs:
    """Read all that a study names.

    Raises:
        InvalidInput: a file is missing or damaged, or does not fit the study.
    """
    checkpoints = read_checkpoints(study)
    material = read_material(study)
    tokenizer = make_tokenizer(study, material, checkpoints)
    return Inputs(material, make_corpus(study, material, tokenizer), tokenizer, checkpoints)


def read_checkpoints(study: Study) -> dict[str, Checkpoint]:
    """The checkpoints of a study, to be trained in float32.

    Raises:
        InvalidInput: one cannot be read, or has room for less than a row; or their tokenizers differ.
    """
    length, read = study.training.length, {}
    for name in sorted({*study.bases} - {SCRATCH}):
        with naming("model.base" if name == study.model.base else f"the base of entity {study.bases.index(name) + 1}"):
            # A step at a usual learning rate is below what bfloat16 resolves, and float16 overflows.
            read[name] = load_pretrained(
                name,
                study.tokenizer or None,
                dtype=study.model.precision,
                parameter_dtype="float32",
                remat=study.training.remat,
            )
        if (context := read[name].model.config.context) < length:
            raise InvalidInput(f"training.length is {length}, above the context of {name}, {context}")
    names = list(read)
    for name in names[1:]:
        if not read[name].tokenizer.same_as(read[names[0]].tokenizer):
            raise InvalidInput(
                f"the tokenizers of {names[0]} and {name} differ, but all entities read and write the same tokens"
            )
    return read


def make_tokenizer(study: Study, material: Material, checkpoints: Mapping[str, Checkpoint]) -> Tokenizer:
    """The checkpoints' tokenizer, or a new one trained on the public and private training text."""
    if checkpoints:
        return next(iter(checkpoints.values())).tokenizer
    private = (f"{example.prompt}{example.completion}" for task in material.tasks for example in task.train)
    return train_tokenizer([*material.public, *private], study.vocabulary)


def left_out(study: Study, corpus: Corpus, completed: int) -> Iterator[str]:
    """Sentences on what a study asks for and does not get.

    Args:
        completed: texts of each dataset that are completed.
    """
    length = study.training.length
    for name, part in zip(corpus.names, corpus.fitting, strict=True):
        if part < 1:
            yield f"{name}: {100 * (1 - part):.3g} % of the training examples are longer than {length} tokens, and left out"
    for name, count in zip(corpus.names, corpus.tests_too_long, strict=True):
        if count:
            yield f"{name}: test examples longer than {length} tokens, {count} of them, are left out"
    if completed < (asked := study.measures.text_items):
        yield (
            f"measures.text_items is {asked}, but one dataset has only {completed} to complete, of all held out or of the first "
            f"measures.test_items: of each, so many are completed"
        )
