"""Reading and checking the TOML file of a study; messages name the line at fault."""

import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import numpy as np

from crossfeed.reading import read_text_file
from crossfeed.toml_reader import TomlReader, parse_toml

from ..data.builtin_tasks import BUILTIN_TASKS
from .study import PYTHON, SCRATCH, SECTIONS, EntitySettings, Study

_LISTS = ("alpha", "beta", "seeds")  # which may be one number, as in a sweep
_STUDY_KEYS = {"alpha": list, "beta": list, "seeds": list, "generations": int, "samples": int}
_PUBLIC_KEYS = {"text": str}
_TOKENIZER_KEYS = {"vocabulary": int, "path": str}


@dataclass(frozen=True)
class _Limit:
    """Condition on a number.

    Attributes:
        holds: function that tells whether a number satisfies it.
        wording: the condition in words, after 'must'.
    """

    holds: Callable[[float], bool]
    wording: str


def _at_least(least: int) -> _Limit:
    return _Limit(lambda value: value >= least, f"be at least {least}")


_POSITIVE = _Limit(lambda value: 0 < value < np.inf, "be positive and finite")
_NOT_NEGATIVE = _Limit(lambda value: 0 <= value < np.inf, "be at least 0 and finite")
_IN_UNIT = _Limit(lambda value: 0 <= value <= 1, "lie in [0, 1]")
_BELOW_ONE = _Limit(lambda value: 0 <= value < 1, "lie in [0, 1)")
_LIMITS = {
    "study": {"generations": _at_least(0), "samples": _at_least(1)},
    "model": {
        "layers": _at_least(1),
        "width": _at_least(2),
        "heads": _at_least(1),
        "context": _at_least(8),
        "pretrain_steps": _at_least(0),
        "pretrain_rate": _POSITIVE,
        "pretrain_private": _IN_UNIT,
    },
    "initial": {"beta": _IN_UNIT, "steps": _at_least(1), "learning_rate": _POSITIVE},
    "training": {
        "steps": _at_least(1),
        "batch": _at_least(1),
        "microbatch": _at_least(1),
        "length": _at_least(8),
        "learning_rate": _POSITIVE,
        "warmup": _IN_UNIT,
        "weight_decay": _NOT_NEGATIVE,
        "beta1": _BELOW_ONE,
        "beta2": _BELOW_ONE,
        "clip": _POSITIVE,
    },
    "pool": {
        "temperature": _NOT_NEGATIVE,
        "top_p": _IN_UNIT,
        "new_tokens": _at_least(1),
        "fresh": _IN_UNIT,
        "candidates": _at_least(1),
    },
    "measures": {"test_items": _at_least(1), "text_items": _at_least(1), "text_every": _at_least(1)},
    "tokenizer": {"vocabulary": _at_least(260)},
    "entity": {"layers": _at_least(1), "width": _at_least(2)},
}
_NEW_MODEL_RATE = 1e-3
"""Learning rate of new models, where a file gives none."""
_NEW_MODEL_KEYS = ("layers", "width", "heads", "context")
_PRETRAINING_KEYS = ("pretrain_rate", "pretrain_private")


def read_study(path: Path) -> Study:
    """Study from a TOML file, checked; `docs/language_models/guide.md` lists all settings.

    Args:
        path: the file; paths in it are relative to its folder.

    Returns:
        The study, with defaults for what the file leaves out.

    Raises:
        InvalidInput: the file cannot be read, or an entry is wrong; the message names file and line.
    """
    return parse_study(read_text_file(path), str(path), path.parent)


def parse_study(text: str, source: str = "study", folder: Path = Path()) -> Study:
    """Study from a TOML text, checked.

    Args:
        text: content of a study's file.
        source: name of the text in messages.
        folder: folder that paths in the text are relative to.

    Returns:
        The study, with defaults for what the text leaves out.

    Raises:
        InvalidInput: an entry is wrong; the message names `source` and the line.

    Example:
        >>> from crossfeed.sim.lm import parse_study
        >>> study = parse_study('study = {alpha = [0, 0.5], beta = [1]}\\n[[entity]]\\ntask = "science"')
        >>> study.alpha, study.entities[0].task, study.pool.prompts
        ((0.0, 0.5), 'science', 'own')
    """
    return _Reader(parse_toml(text, source), text, source).study(folder)


class _Reader(TomlReader):
    """Reader of a study's file, table by table."""

    def study(self, folder: Path) -> Study:
        """The study, checked; `folder` is what paths are relative to."""
        for table in self.content:
            if table not in ("study", "entity", "public", "tokenizer", *SECTIONS):
                known = (
                    "[study], [[entity]], [public], [tokenizer], [model], [initial], [training], [pool] and [measures]"
                )
                self.fail("", table, f"unknown: a study has {known}, not {table!r}")
        self._take_numbers_for_lists()
        study: dict[str, Any] = self.table("study", _STUDY_KEYS)
        self.check_limits("study", study)
        for name in ("alpha", "beta"):
            study[name] = self.weights(name, study.get(name))
        study["seeds"] = self.seeds(study.get("seeds", [0]))
        sections: dict[str, Any] = {
            name: settings(**self.section(name, settings)) for name, settings in SECTIONS.items()
        }
        tokenizer = self.table("tokenizer", _TOKENIZER_KEYS)
        self.check_limits("tokenizer", tokenizer)
        if "path" in tokenizer:
            tokenizer["tokenizer"] = self.existing("tokenizer", "path", tokenizer.pop("path"), folder)
        sections["model"] = replace(sections["model"], base=_resolved(sections["model"].base, folder, SCRATCH))
        study["public"] = _resolved(self.table("public", _PUBLIC_KEYS).get("text", PYTHON), folder, PYTHON)
        checked = self.with_defaults(Study(entities=self.entities(folder), **study, **tokenizer, **sections))
        self.check_together(checked)
        return checked

    def with_defaults(self, study: Study) -> Study:
        """The study with those defaults that depend on whether its models are new."""
        if SCRATCH not in study.bases:
            steps = self.content.get("model", {}).get("pretrain_steps", 0)
            return replace(study, model=replace(study.model, pretrain_steps=steps))
        if "learning_rate" not in self.content.get("training", {}):
            return replace(study, training=replace(study.training, learning_rate=_NEW_MODEL_RATE))
        return study

    def entities(self, folder: Path) -> tuple[EntitySettings, ...]:
        tables = self.content.get("entity", [])
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            self.fail("", "entity", "missing: a study has one [[entity]] with a task for each entity")
        types = {setting.name: setting.type for setting in fields(EntitySettings)}
        entities = []
        for which, table in enumerate(tables):
            self.check_kinds("entity", table, types, which)  # pyright: ignore[reportArgumentType]
            self.check_limits("entity", table, which)
            if "task" not in table:
                self.fail(
                    "entity", "task", f"missing for entity {which + 1}: {', '.join(BUILTIN_TASKS)}, or a JSONL file"
                )
            self.check_task(table["task"], folder, which)
            paths = {
                name: _resolved(table[name], folder, *known)
                for name, known in (("test", ()), ("base", (SCRATCH,)), ("task", BUILTIN_TASKS))
                if name in table
            }
            if table["task"] in BUILTIN_TASKS:
                if "test" in table:
                    self.fail("entity", "test", "does not apply to a built-in task, which has its own", which)
            elif "test" in table and not Path(paths["task"]).is_absolute():
                self.fail("entity", "test", "does not apply to a task of the hub, which has its own", which)
            if paths.get("test") == paths["task"]:
                self.fail("entity", "test", "is the file of the task itself, but tests must be held out", which)
            entities.append(EntitySettings(**table | paths))
        return tuple(entities)

    def check_task(self, task: str, folder: Path, which: int) -> None:
        """Refuse a name that resembles that of a built-in task, which is a mistake rather than a data set of a hub."""
        if task in BUILTIN_TASKS or "/" in task or os.path.exists(folder / task):
            return
        topics = [name for name in BUILTIN_TASKS if name.startswith(f"{task.partition(':')[0]}:")]
        if known := topics or get_close_matches(task, BUILTIN_TASKS, cutoff=0.8):
            what = f"is {task!r}, which is neither a file nor built in; built in and most like it: {', '.join(known)}"
            self.fail("entity", "task", what, which)

    def section(self, name: str, settings: type) -> dict[str, Any]:
        """Values of the table `name`, whose keys are the fields of the record `settings`."""
        known = {setting.name: setting.type for setting in fields(settings)}
        plain = {key: expected for key, expected in known.items() if expected in (int, float, str, bool)}
        choices = {key: get_args(expected) for key, expected in known.items() if key not in plain and key != "shares"}
        types: dict[str, Any] = {key: plain.get(key, list if key == "shares" else str) for key in known}
        table = self.table(name, types)
        for key, allowed in choices.items():
            if key in table and table[key] not in allowed:
                self.fail(name, key, f"is {table[key]!r}, but must be one of {', '.join(map(str, allowed))}")
        self.check_limits(name, table)
        table |= {key: float(value) for key, value in table.items() if types[key] is float}
        if "shares" in table:
            table["shares"] = self.shares(table["shares"])
        return table

    def check_limits(self, name: str, table: dict[str, Any], which: int = 0) -> None:
        for key, limit in _LIMITS.get(name, {}).items():
            if key in table and not limit.holds(table[key]):
                self.fail(name, key, f"is {table[key]}, but must {limit.wording}", which)

    def weights(self, name: str, values: list[Any] | None) -> tuple[float, ...]:
        if not values:
            self.fail("study", name, "missing: a list of numbers in [0, 1]")
        for value in values:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                self.fail("study", name, f"holds {value!r}, but its numbers must lie in [0, 1]")
        self.check_different(name, values)
        return tuple(float(value) for value in values)

    def seeds(self, values: list[Any]) -> tuple[int, ...]:
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
                self.fail("study", "seeds", f"holds {value!r}, but seeds are whole numbers from 0 to 2**32 - 1")
        if not values:
            self.fail("study", "seeds", "is an empty list")
        self.check_different("seeds", values)
        return tuple(values)

    def check_different(self, name: str, values: list[Any]) -> None:
        # Names of the folders of cells, which must differ.
        shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
        if twice := [value for value in shown if shown.count(value) > 1]:
            self.fail("study", name, f"holds {twice[0]} twice")

    def shares(self, values: list[Any]) -> tuple[float, ...]:
        for value in values:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                self.fail("pool", "shares", f"holds {value!r}, but shares lie in [0, 1]")
        if abs(sum(values) - 1) > 1e-6:
            self.fail("pool", "shares", f"sum to {sum(values):.6g}, but must sum to 1")
        return tuple(float(value) for value in values)

    def check_together(self, study: Study) -> None:
        """Check settings that depend on each other."""
        self.check_pool(study)
        self.check_sizes(study)
        self.check_bases(study)
        if study.training.microbatch and study.training.batch % study.training.microbatch:
            what = f"is {study.training.microbatch}, but must divide training.batch, {study.training.batch}"
            self.fail("training", "microbatch", what)

    def check_pool(self, study: Study) -> None:
        if study.pool.shares and len(study.pool.shares) != len(study.entities):
            self.fail(
                "pool", "shares", f"has {len(study.pool.shares)} shares, but there are {len(study.entities)} entities"
            )
        if study.pool.prompts == "other" and len(study.entities) < 2:
            self.fail("pool", "prompts", "is 'other', which needs at least 2 entities")
        if study.pool.top_p == 0:
            self.fail("pool", "top_p", "is 0, but must be above 0: no token is left to sample")
        given = self.content.get("pool", {})
        if given.get("judge", "answer") != "answer" and study.pool.candidates == 1:
            self.fail("pool", "judge", f"is {given['judge']!r}, which applies where pool.candidates is above 1")
        for key in ("top_p", "candidates"):
            if study.pool.temperature == 0 and given.get(key, 1) != 1:
                self.fail("pool", key, f"is {given[key]}, but at temperature 0 every completion is the likeliest")
        if study.pool.new_tokens >= study.training.length:
            what = f"is {study.pool.new_tokens}, but must be below training.length, {study.training.length}"
            self.fail("pool", "new_tokens", what)

    def check_sizes(self, study: Study) -> None:
        model = study.model
        if SCRATCH in study.bases and study.training.length > model.context:
            self.fail("training", "length", f"is {study.training.length}, above the model's context of {model.context}")
        for which, (entity, base) in enumerate(zip(study.entities, study.bases, strict=True)):
            is_new = base == SCRATCH
            if not is_new and (entity.width or entity.layers):
                self.fail(
                    "entity", "width" if entity.width else "layers", "applies to a model from scratch only", which
                )
            if is_new and (width := entity.width or model.width) % (2 * model.heads):
                where = ("entity", "width") if entity.width else ("model", "width")
                self.fail(*where, f"is {width}, but must be a multiple of twice the {model.heads} heads", which)

    def check_bases(self, study: Study) -> None:
        bases = {*study.bases}
        for key in _PRETRAINING_KEYS:
            if key in self.content.get("model", {}) and not study.model.pretrain_steps:
                self.fail(
                    "model",
                    key,
                    "applies where model.pretrain_steps is above 0; for a pretrained model it is 0 unless given",
                )
        if len(bases) > 1 and SCRATCH in bases:
            which = next(i for i, entity in enumerate(study.entities) if entity.base)
            self.fail("entity", "base", "mixes new and pretrained models, which would need two tokenizers", which)
        if SCRATCH not in bases:
            self.check_pretrained_keys(study)
        elif study.tokenizer:
            self.fail(
                "tokenizer", "path", "applies to pretrained models only, but a model from scratch has a new tokenizer"
            )
        if any(base.endswith(".bin") for base in bases) and not study.tokenizer:
            self.fail("tokenizer", "path", "missing: a .bin model needs its tokenizer's file")

    def check_pretrained_keys(self, study: Study) -> None:
        """Refuse keys that do not apply where every entity starts from a pretrained model."""
        given = self.content.get("model", {})
        for key in _NEW_MODEL_KEYS:
            if key in given:
                self.fail("model", key, "applies to a model from scratch only, but every entity has a pretrained model")
        if "vocabulary" in self.content.get("tokenizer", {}):
            self.fail("tokenizer", "vocabulary", "applies to a new tokenizer, but pretrained models bring their own")

    def _take_numbers_for_lists(self) -> None:
        """A number where a list may stand is the list of that number."""
        if isinstance(given := self.content.get("study"), dict):
            given |= {name: [given[name]] for name in _LISTS if type(given.get(name)) in (int, float)}

    def existing(self, table: str, key: str, value: str, folder: Path) -> str:
        if not os.path.exists(path := folder / value):
            self.fail(table, key, f"is {value!r}, but there is no such file")
        return os.path.realpath(path)


def _resolved(name: str, folder: Path, *builtin: str) -> str:
    """An absolute path if `name` is that of a file or looks like one; built-in names and names for a hub stay as they are."""
    path = folder / name
    looks_like_path = name.startswith((".", "/")) or name.endswith((".jsonl", ".txt", ".md", ".bin", ".json"))
    # `Path.exists` raises where a name is too long for a file.
    is_path = name not in builtin and (os.path.exists(path) or looks_like_path)
    return os.path.realpath(path) if is_path else name
