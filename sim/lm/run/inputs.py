"""Inputs of a study, read and checked before anything is computed: text, pretrained models, and the tokenizer they share."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from crossfeed.errors import InvalidInput, naming
from crossfeed.reading import read_bytes

from ..data.tokenizer import Tokenizer, train_tokenizer
from ..model.formats.pretrained import PretrainedModel, load_pretrained
from ..study.corpus import Corpus, Material, make_corpus, read_material
from ..study.study import SCRATCH, Study

_NO_FILES = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class Inputs:
    """Inputs of a study.

    Attributes:
        material: texts of the study.
        corpus: these texts as tokens.
        tokenizer: tokenizer of all models.
        pretrained: models that entities start from, by their names in the study, in the order in which entities name them;
            empty where models are new.
        embedding: hash of the files of the embedding, if it is a folder.
    """

    material: Material
    corpus: Corpus
    tokenizer: Tokenizer
    pretrained: Mapping[str, PretrainedModel]
    embedding: str = _NO_FILES

    def fingerprints(self) -> dict[str, str]:
        """Hashes of the texts, the pretrained models and the embedding; the keys are those of stored runs."""
        digest = hashlib.sha256()
        for pretrained in self.pretrained.values():
            for leaf in jax.tree.leaves(pretrained.model):
                digest.update(np.asarray(leaf).tobytes())
        # The corpus holds the first `measures.test_items` tests, but `crossfeed lm evaluate` may ask for more.
        tests = repr([task.test for task in self.material.tasks]).encode()
        texts = hashlib.sha256(self.corpus.fingerprint().encode() + tests).hexdigest()
        configs = repr([pretrained.model.config for pretrained in self.pretrained.values()])
        return {
            "texts": texts,
            "checkpoints": digest.hexdigest(),
            "configurations": hashlib.sha256(configs.encode()).hexdigest(),
            "embedding": self.embedding,
        }


def read_inputs(study: Study) -> Inputs:
    """Inputs of a study, read from the files that it names.

    Raises:
        InvalidInput: a file is missing or damaged, or does not fit the study.
    """
    pretrained = read_pretrained(study)
    material = read_material(study)
    tokenizer = make_tokenizer(study, material, pretrained)
    corpus = make_corpus(study, material, tokenizer)
    return Inputs(material, corpus, tokenizer, pretrained, _hash_of_files(Path(study.measures.embedding)))


def _hash_of_files(folder: Path) -> str:
    """Hash of the names and contents of all files below a folder, if there is such a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")) if folder.is_absolute() else ():
        if path.is_file():
            digest.update(f"{path.relative_to(folder)} {hashlib.sha256(read_bytes(path)).hexdigest()}\n".encode())
    return digest.hexdigest()


def read_pretrained(study: Study) -> dict[str, PretrainedModel]:
    """Pretrained models of a study by their names, with float32 parameters.

    Raises:
        InvalidInput: one cannot be read, its context is shorter than a row, or their tokenizers differ.
    """
    length, read = study.training.length, {}
    for name in dict.fromkeys(study.bases):
        if name == SCRATCH:
            continue
        with naming("model.base" if name == study.model.base else f"the base of entity {study.bases.index(name) + 1}"):
            # Updates at usual learning rates are below the resolution of bfloat16, and float16 overflows.
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
    sizes = {name: pretrained.model.config.vocabulary for name, pretrained in read.items()}
    for name in names[1:]:
        if sizes[name] != sizes[names[0]]:
            raise InvalidInput(
                f"{names[0]} has {sizes[names[0]]} tokens and {name} {sizes[name]}, but all entities read what others write"
            )
        if not read[name].tokenizer.same_as(read[names[0]].tokenizer):
            raise InvalidInput(
                f"the tokenizers of {names[0]} and {name} differ, but all entities read and write the same tokens"
            )
    return read


def make_tokenizer(study: Study, material: Material, pretrained: Mapping[str, PretrainedModel]) -> Tokenizer:
    """Tokenizer of the pretrained models, or a new one trained on public and private training text."""
    if pretrained:
        return next(iter(pretrained.values())).tokenizer
    private = (f"{example.prompt}{example.completion}" for task in material.tasks for example in task.train)
    return train_tokenizer([*material.public, *private], study.vocabulary)


def left_out(study: Study, corpus: Corpus, completed: int) -> Iterator[str]:
    """Sentences that say which examples and texts of a study are left out.

    Args:
        study: the study.
        corpus: its texts as tokens.
        completed: number of texts of each dataset that are completed.
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
