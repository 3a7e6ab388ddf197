"""Specification of a sweep: a TOML file with axes, an ecosystem family and quantities; errors name the line."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from crossfeed.errors import InvalidInput
from crossfeed.formulas.memories import Forget
from crossfeed.formulas.workflow import Workflow
from crossfeed.formulas.workflow_file import PARTS, make_part
from crossfeed.reading import read_text_file
from crossfeed.toml_reader import TomlReader, parse_toml

from ..real_data import DATASETS
from .given_file import description
from .quantities import OF_INTERPOLATION, QUANTITIES

FAMILIES = ("random", "symmetric", "file", "dataset")
WORKFLOW_AXES = ("estimator_steps", "estimator_rate", "estimator_penalty", "pool_fresh", "memory_rate")
"""Names of the axes that are numbers of the workflow's tables."""
AXES = (
    "dimension",
    "rank",
    "entities",
    "volume",
    "dominant_share",
    "mixing",
    "misalignment",
    *WORKFLOW_AXES,
    "beta",
    "alpha",
)
"""Names of the axes in the order of the store's dimensions, which follow `draw`; the last two vary fastest."""

_TOLERANCES = (1e-12, 1e-2)
# Per axis. More would not fit a store anyway, and would be expanded in memory before being refused.
_MOST_VALUES = 100_000
_WHOLE = {"dimension", "rank", "entities", "estimator_steps"}
_DEFAULTS = {"dimension": 15, "rank": 5, "entities": 4, "volume": 1.0, "mixing": 1.0, "misalignment": 0.0}
_LIMITS = {
    "dimension": (1, np.inf),
    "rank": (1, np.inf),
    "entities": (1, np.inf),
    "volume": (0, np.inf),
    "dominant_share": (0, 1),
    "mixing": (0, 1),
    "misalignment": (0, 1),
    "beta": (0, 1),
    "alpha": (0, 1),
}
_FAMILY_AXES = {
    "random": set(AXES) - set(WORKFLOW_AXES),
    "symmetric": {"dimension", "entities", "volume", "dominant_share", "alpha", "beta"},
    "file": {"volume", "dominant_share", "alpha", "beta"},
    "dataset": {"entities", "volume", "dominant_share", "alpha", "beta"},
}
_FAMILY_KEYS = {
    "random": {"draws": int, "public_rows": int, "noise_variance": float},
    "symmetric": {"noise_variance": float},
    "file": {"path": str},
    "dataset": {"name": str},
}
_SWEEP_KEYS = {
    "quantities": list,
    "generations": int,
    "replicates": int,
    "seed": int,
    "memory_mib": int,
    "interpolate": float,
}


def digits(value: float | int) -> str:
    """Text that is the same for values that differ by rounding, as those of two ranges do."""
    return f"{value:.14g}"


@dataclass(frozen=True)
class Spec:
    """Validated specification of a sweep.

    Attributes:
        family: one of `FAMILIES`.
        options: options of the family: draws, public_rows, noise_variance, path, name; for a file also sha256, entities and
            dimension of the ecosystem in it.
        axes: values of every parameter that is given or has a default; a tuple is a dimension of the store.
        quantities: names in `QUANTITIES`.
        generations: T of trajectories and of Monte Carlo.
        replicates: number of Monte Carlo replicates.
        seed: seed of random ecosystems and of Monte Carlo.
        memory_mib: memory in MiB that a tile and its results may take on each device.
        workflow: the tables of the workflow, without the numbers that are axes.
        interpolate: largest relative error of interpolation over α and β; None if every point is computed.
    """

    family: str
    options: dict[str, Any]
    axes: dict[str, float | int | tuple[float | int, ...]]
    quantities: tuple[str, ...]
    generations: int
    replicates: int
    seed: int
    memory_mib: int
    workflow: dict[str, dict[str, Any]] = field(default_factory=dict)
    interpolate: float | None = None

    def workflow_at(self, point: dict[str, Any]) -> Workflow:
        """The workflow at a point, whose parameters may be traced."""
        parts = {}
        for part, table in self.workflow.items():
            settings = {key: value for key, value in table.items() if key != "kind"}
            settings |= {
                name.removeprefix(f"{part}_"): point[name]
                for name in WORKFLOW_AXES
                if name.startswith(part) and name in point
            }
            parts[part] = PARTS[part][table["kind"]].make(**settings)
        return Workflow(**parts)

    @property
    def swept(self) -> dict[str, tuple[float | int, ...]]:
        """Dimensions of the store and their values, slowest first."""
        swept = {"draw": self.values("draw")} if self.draws > 1 else {}
        return swept | {name: value for name in AXES if isinstance(value := self.axes.get(name), tuple)}

    @property
    def draws(self) -> int:
        """Number of random ecosystems."""
        return self.options.get("draws", 1)

    @overload
    def values(self, name: Literal["dimension", "rank", "entities"]) -> tuple[int, ...]: ...
    @overload
    def values(self, name: str) -> tuple[float | int, ...]: ...
    def values(self, name: str) -> tuple[Any, ...]:
        """All values of a parameter, or indices of draws, swept or fixed; empty if the family does not have the parameter."""
        if name == "draw":
            return tuple(range(self.draws))
        value = self.axes.get(name, ())
        return value if isinstance(value, tuple) else (value,)

    def to_json(self) -> str:
        """Canonical JSON text, equal for equal sweeps."""
        return json.dumps(asdict(self), sort_keys=True)


def read_spec(path: Path) -> Spec:
    """Specification of a sweep from a TOML file (docs/sweeps.md).

    Args:
        path: the file; paths of ecosystem files in it are relative to its folder.

    Returns:
        The validated specification, with defaults filled in.

    Raises:
        InvalidInput: the file cannot be read, or an entry is wrong; the message names file and line.
    """
    return parse_spec(read_text_file(path), str(path), path.parent)


def parse_spec(text: str, source: str = "spec", folder: Path = Path()) -> Spec:
    """Specification of a sweep from TOML text (docs/sweeps.md).

    Args:
        text: the content of a spec file.
        source: name of the text in messages.
        folder: folder that the path of an ecosystem file is relative to.

    Returns:
        The validated specification, with defaults filled in.

    Raises:
        InvalidInput: as `read_spec`.

    Example:
        >>> from crossfeed.sim.sweep import parse_spec
        >>> spec = parse_spec('''
        ... [sweep]
        ... quantities = ["mean_mse"]
        ... [axes]
        ... alpha = [0.2, 0.5]
        ... beta = 0.5
        ... ''')
        >>> spec.swept
        {'alpha': (0.2, 0.5)}
    """
    return _Reader(parse_toml(text, source), text, source).spec(folder)


class _Reader(TomlReader):
    def spec(self, folder: Path) -> Spec:
        for table in self.content:
            if table not in ("sweep", "ecosystem", "axes", *PARTS):
                self.fail("", table, f"unknown: a sweep has the tables sweep, ecosystem, axes, {', '.join(PARTS)}")
        family, options = self.family(folder)
        axes = self.axes(family)
        workflow, numbers = self.workflow()
        axes |= numbers
        another = (
            any(table["kind"] != next(iter(PARTS[part])) for part, table in workflow.items()) or "pool_fresh" in axes
        )
        try:
            Spec(family, options, axes, (), 0, 2, 0, 1, workflow).workflow_at(
                {name: value[0] if isinstance(value, tuple) else value for name, value in axes.items()}
            )
        except InvalidInput as error:
            self.fail("memory", "kind", f"does not fit: {error}")
        if (readers := workflow.get("pool", {}).get("readers")) is not None:
            entities = options.get("entities", axes.get("entities"))
            if entities != len(readers):
                self.fail("pool", "readers", f"is for {len(readers)} entities, but the sweep has {entities}")
        sweep = self.table("sweep", _SWEEP_KEYS)
        choices = f"choose from {', '.join(QUANTITIES)}"
        if not (names := sweep.get("quantities")):
            what = "is empty" if "quantities" in sweep else "is missing"
            self.fail("sweep", "quantities", f"{what}: {choices}")
        for name in names:
            if not isinstance(name, str) or name not in QUANTITIES:
                near = get_close_matches(str(name), QUANTITIES, n=1)
                advice = f"did you mean {near[0]!r}?" if near else choices
                self.fail("sweep", "quantities", f"{name!r} is not a quantity: {advice}")
        if len(set(names)) < len(names):
            self.fail("sweep", "quantities", "names a quantity twice")
        for name in names:
            if another and QUANTITIES[name].of_paper:
                self.fail(
                    "sweep", "quantities", f"{name!r} is a statement about the paper's workflow, not about this one"
                )
            if QUANTITIES[name].of_limit and workflow.get("memory", {}).get("kind") == "accumulate":
                self.fail(
                    "sweep", "quantities", f"{name!r} is one of a limit, which memory.kind 'accumulate' has none of"
                )
        if any(QUANTITIES[name].of_limit for name in names) and "reason" not in names:
            names = [*names, "reason"]
        if (tolerance := sweep.get("interpolate")) is not None:
            self.check_interpolation(tolerance, names, axes, workflow)
            names = [*names, *(name for name in OF_INTERPOLATION if name not in names)]
        elif own := [name for name in names if name in OF_INTERPOLATION]:
            self.fail("sweep", "quantities", f"{own[0]!r} is one of interpolated planes: give sweep.interpolate too")
        for key, least in (("generations", 0), ("replicates", 2), ("memory_mib", 1)):
            if sweep.get(key, least) < least:
                self.fail("sweep", key, f"is {sweep[key]}, but must be at least {least}")
        return Spec(
            family,
            options,
            axes,
            tuple(names),
            sweep.get("generations", 100),
            sweep.get("replicates", 1000),
            sweep.get("seed", 0),
            sweep.get("memory_mib", 512),
            workflow,
            tolerance,
        )

    def check_interpolation(
        self,
        tolerance: float,
        names: list[str],
        axes: dict[str, float | int | tuple[float | int, ...]],
        workflow: dict[str, dict[str, Any]],
    ) -> None:
        least, most = _TOLERANCES
        if not least <= tolerance <= most:
            self.fail("sweep", "interpolate", f"is {tolerance}, but must lie in [{least:g}, {most:g}]")
        for name in ("alpha", "beta"):
            if not isinstance(axes[name], tuple):
                self.fail(
                    "sweep", "interpolate", f"is {tolerance}, but {name} is a single number: give it several values"
                )
        for name in names:
            if not QUANTITIES[name].smooth and name != "reason":
                self.fail(
                    "sweep", "interpolate", f"is {tolerance}, but {name!r} does not depend smoothly on the weights"
                )
        if workflow.get("memory", {}).get("kind") == "accumulate":
            self.fail("sweep", "interpolate", f"is {tolerance}, but memory.kind 'accumulate' has no limit")

    def workflow(self) -> tuple[dict[str, dict[str, Any]], dict[str, float | int | tuple[float | int, ...]]]:
        """The tables of the workflow, and their numbers that are axes."""
        tables: dict[str, dict[str, Any]] = {}
        axes: dict[str, float | int | tuple[float | int, ...]] = {}
        for part in PARTS:
            table = self.content.get(part)
            if not isinstance(table, dict):
                if table is not None:
                    self.fail("", part, "must be a table")
                continue
            swept = {key: value for key, value in table.items() if f"{part}_{key}" in WORKFLOW_AXES}
            numbers = {key: self.values(f"{part}_{key}", value, (part, key)) for key, value in swept.items()}
            for key, values in numbers.items():
                # What a part allows is an interval, so the ends of a range say it of all.
                for value in (min(values), max(values)) if isinstance(values, tuple) else (values,):
                    others = {other: one[0] if isinstance(one, tuple) else one for other, one in numbers.items()}
                    content = {part: table | others | {key: value}}
                    made = make_part(TomlReader(content, self.text, self.source), part)
                    if isinstance(made, Forget) and made.rate == 0:
                        self.fail(part, key, "is 0, which keeps all pools for ever: that is memory.kind 'accumulate'")
            if not numbers:
                make_part(self, part)
            fixed = {key: value for key, value in table.items() if key not in numbers}
            tables[part] = {"kind": next(iter(PARTS[part]))} | fixed
            axes |= {f"{part}_{key}": value for key, value in numbers.items()}
        return tables, axes

    def family(self, folder: Path) -> tuple[str, dict[str, Any]]:
        table = self.content.get("ecosystem", {})
        family = table.get("family", "random") if isinstance(table, dict) else None
        if family not in FAMILIES:
            self.fail("ecosystem", "family", f"is {family!r}, but must be one of {', '.join(FAMILIES)}")
        options = self.table("ecosystem", {"family": str} | _FAMILY_KEYS[family])
        options.pop("family", None)
        for key in ("draws", "public_rows"):
            if options.get(key, 1) < 1:
                self.fail("ecosystem", key, f"is {options[key]}, but must be at least 1")
        if options.get("draws", 1) > _MOST_VALUES:
            self.fail("ecosystem", "draws", f"is {options['draws']}, but must be at most {_MOST_VALUES}")
        if not (0 < options.get("noise_variance", 1.0) < np.inf):
            self.fail("ecosystem", "noise_variance", f"is {options['noise_variance']}, but must be positive and finite")
        if family == "file":
            if "path" not in options:
                self.fail("ecosystem", "path", "missing: the family 'file' needs the ecosystem's .npz")
            options["path"] = str((folder / options["path"]).resolve())
            options |= description(options["path"])
        if family == "dataset" and options.setdefault("name", "diabetes") not in DATASETS:
            self.fail("ecosystem", "name", f"is {options['name']!r}, but must be one of {', '.join(DATASETS)}")
        return family, options

    def axes(self, family: str) -> dict[str, float | int | tuple[float | int, ...]]:
        table = self.content.get("axes", {})
        if not isinstance(table, dict):
            self.fail("", "axes", "must be a table")
        axes: dict[str, float | int | tuple[float | int, ...]] = {
            name: value for name, value in _DEFAULTS.items() if name in _FAMILY_AXES[family]
        }
        for name, value in table.items():
            if name in WORKFLOW_AXES:
                self.fail("axes", name, f"is set in the table [{name.partition('_')[0]}]: give its values there")
            if name not in AXES:
                self.fail("axes", name, f"unknown: choose from {', '.join(AXES)}")
            if name not in _FAMILY_AXES[family]:
                self.fail("axes", name, f"does not apply to the family {family!r}")
            axes[name] = self.values(name, value)
        for name in ("alpha", "beta"):
            if name not in axes:
                self.fail("axes", name, "missing")
        sizes = {name: np.atleast_1d(axes[name]) for name in _WHOLE & axes.keys()}
        if "rank" in sizes and sizes["rank"].max() > sizes["dimension"].min():
            self.fail("axes", "rank", f"reaches {sizes['rank'].max()}, above the dimension {sizes['dimension'].min()}")
        if "dominant_share" in axes and sizes.get("entities", np.array([2])).min() < 2:
            self.fail("axes", "dominant_share", "needs at least 2 entities everywhere")
        if family == "dataset" and isinstance(axes["entities"], tuple):
            self.fail("axes", "entities", "must be one number for the family 'dataset': its slices depend on it")
        return axes

    def values(
        self, name: str, value: Any, place: tuple[str, str] | None = None
    ) -> float | int | tuple[float | int, ...]:
        """A number, a list of numbers, or a range, which stands at a place other than its axis, if that is given."""
        place = place or ("axes", name)
        if isinstance(value, dict):
            return self.range(name, value, place)
        if not isinstance(value, list):
            return self.number(name, value, place)
        if not value:
            self.fail(*place, "is an empty list")
        if len(value) > _MOST_VALUES:
            self.fail(*place, f"holds {len(value)} values, but may hold at most {_MOST_VALUES}")
        numbers = tuple(self.number(name, one, place) for one in value)
        if twice := [one for one, times in Counter(numbers).items() if times > 1]:
            self.fail(*place, f"holds {twice[0]} twice")
        return numbers

    def range(self, name: str, value: dict[str, Any], place: tuple[str, str]) -> tuple[float | int, ...]:
        needed = ("from", "to", "points")
        unknown = [f"does not know {key}" for key in value if key not in (*needed, "scale")]
        if wrong := unknown + [f"lacks {key}" for key in needed if key not in value]:
            self.fail(*place, f"{' and '.join(wrong)}: a range has from, to, points and perhaps scale")
        points, scale = value["points"], value.get("scale", "linear")
        if not isinstance(points, int) or isinstance(points, bool) or not 2 <= points <= _MOST_VALUES:
            self.fail(*place, f"points is {points!r}, but must be a whole number from 2 to {_MOST_VALUES}")
        if scale not in ("linear", "log"):
            self.fail(*place, f"scale is {scale!r}, but must be 'linear' or 'log'")
        first, last = (self.number(name, value[end], place) for end in ("from", "to"))
        if scale == "log" and min(first, last) <= 0:
            self.fail(*place, f"runs from {first} to {last}, but a log range must be positive")
        grid = (np.geomspace if scale == "log" else np.linspace)(first, last, points)
        if name in _WHOLE:
            grid = np.round(grid).astype(int)
        if len(np.unique(grid)) < points:
            self.fail(*place, f"has {points} points, but only {len(np.unique(grid))} different values")
        return tuple(grid.tolist())

    def number(self, name: str, value: Any, place: tuple[str, str]) -> float | int:
        kind = "a whole number" if name in _WHOLE else "a number"
        allowed = int if name in _WHOLE else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            self.fail(*place, f"is {value!r}, but must be {kind}, a list of them, or a range")
        low, high = _LIMITS.get(name, (-np.inf, np.inf))
        if not (low <= value <= high) or not np.isfinite(value):
            limits = f"be at least {low}" if high == np.inf else f"lie in [{low}, {high}]"
            self.fail(*place, f"is {value}, but must {limits}")
        return value if name in _WHOLE else float(value)
