"""Measures of a run, as one Zarr store."""

import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from zarr.codecs import ZstdCodec

from crossfeed.errors import CrossfeedError, InvalidInput

from ...text_measures import DISTINCT
from ..evaluation.measure import AXES, DRAWN_AXES, LABELS
from ..exchange.sources import SOURCES
from ..study.corpus import Corpus
from ..study.study import Study, from_dict
from .digests import damaged_file, has_sums, write_sums
from .run_folder import Cell

_MEASURES, _STUDY, _INPUTS, _SUMMED = "measures.zarr", "crossfeed_study", "crossfeed_inputs", "crossfeed_checksums"
_ATTEMPTS, _PAUSE = 5, 0.1  # seconds


def write_measures(
    folder: Path,
    study: Study,
    corpus: Corpus,
    fingerprints: Mapping[str, str],
    cells: Mapping[Cell, dict[str, np.ndarray]],
) -> None:
    """Write the measures of all cells, with NaN for those not taken yet; replaces the store written before.

    Args:
        folder: folder of the run.
        study: the study.
        corpus: its texts.
        fingerprints: fingerprints of its `Inputs`.
        cells: measures of the cells that have been started.
    """
    shape = (len(study.seeds), len(study.alpha), len(study.beta))
    variables = {}
    for name, example in next(iter(cells.values())).items():
        axes = DRAWN_AXES if name == "coordinates" else ("generation", *AXES[name])
        stacked = np.full((*shape, *example.shape), np.nan, example.dtype)
        for cell, measures in cells.items():
            at = (study.seeds.index(cell.seed), study.alpha.index(cell.alpha), study.beta.index(cell.beta))
            stacked[at] = measures[name]
        label, units = LABELS[name]
        variables[name] = (("seed", "alpha", "beta", *axes), stacked, {"long_name": label, "units": units})
    entities = np.arange(len(study.entities)) + 1
    coordinates = {
        "seed": list(study.seeds),
        "alpha": ("alpha", list(study.alpha), {"long_name": "α, weight of synthetic data"}),
        "beta": ("beta", list(study.beta), {"long_name": "β, weight of private data"}),
        "generation": np.arange(study.generations + 1),
        "entity": entities,
        "other": entities,
        "task": list(corpus.names),
        "dataset": [*corpus.names, "public"],
        "source": list(SOURCES),
        "n": list(DISTINCT),
        "moment": ["first", "last"],
    }
    attributes = {
        _STUDY: json.dumps(study.as_dict()),
        _INPUTS: json.dumps(dict(fingerprints)),
        _SUMMED: 1,  # a store whose attributes say so and that has no checksums of its files is damaged
        "test_examples_too_long": list(corpus.tests_too_long),  # number per task, left out of the tests
    }
    data = xr.Dataset(variables, coordinates, attributes)
    try:
        with warnings.catch_warnings():
            # Strings and consolidated metadata are extensions of Zarr 3, which xarray reads.
            warnings.simplefilter("ignore")
            _replace(folder / _MEASURES, lambda part: _write(data, part))
    except OSError as error:
        raise CrossfeedError(
            f"cannot write {folder / _MEASURES}: {error.strerror or error}; go on with --resume"
        ) from error


def _write(data: xr.Dataset, part: Path) -> None:
    checked = {"compressors": [ZstdCodec(checksum=True)]}
    data.to_zarr(part, consolidated=True, encoding=dict.fromkeys(data.variables, checked))
    write_sums(part)


def _replace(whole: Path, write: Callable[[Path], object]) -> None:
    """Replace a folder by a new one; the old one stays until the new one is complete, even if the process is killed."""
    part, old = (whole.with_name(f".{whole.name}.{ending}") for ending in ("part", "old"))
    if old.exists() and not whole.exists():
        old.rename(whole)
    for left_by_a_kill in (part, old):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    write(part)
    if whole.exists():
        whole.rename(old)
    part.rename(whole)
    shutil.rmtree(old, ignore_errors=True)


def open_measures(folder: Path) -> xr.Dataset:
    """Measures of a run, loaded into memory.

    Args:
        folder: folder of the run, which may be going on.

    Returns:
        One variable per measure, with the axes seed, alpha, beta, generation and those of the measure; NaN where a measure has
        not been taken yet.

    Raises:
        InvalidInput: there are no measures, or they cannot be read, are damaged, or of another version.
    """
    if not any((folder / name).exists() for name in (_MEASURES, f".{_MEASURES}.old")):
        raise InvalidInput(f"{folder} holds no run with measures: there is no {_MEASURES}, or it has not begun")
    failure: Exception = OSError("a run replaces them again and again")
    for _ in range(_ATTEMPTS):
        try:
            before = (folder / _MEASURES).stat()
            if damaged := damaged_file(folder / _MEASURES):
                raise ValueError(f"{damaged} is damaged; crossfeed lm run --resume writes them again")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = xr.open_zarr(folder / _MEASURES).load()
            if os.path.samestat(before, (folder / _MEASURES).stat()):
                break
            # A run has replaced the store meanwhile: some numbers may be missing, or those of the next generation.
        except Exception as error:  # whatever is at the path
            failure = error
        time.sleep(_PAUSE)
    else:
        raise InvalidInput(
            f"cannot open the measures of a run at {folder}: {' '.join(str(failure).split())[:200]}"
        ) from failure
    _check(data, folder / _MEASURES)
    if _SUMMED in data.attrs and not has_sums(folder / _MEASURES):
        raise InvalidInput(
            f"{folder / _MEASURES} has lost the checksums of its files; crossfeed lm run --resume writes it again"
        )
    return data


def _check(data: xr.Dataset, path: Path) -> None:
    """Refuse a store that is not that of a run, or is of another version."""
    measured_inputs(data)
    axes = {name: ("generation", *own) for name, own in AXES.items()} | {"coordinates": DRAWN_AXES}
    wrong = [name for name in ("loss", "similarity", "coordinates", "task", "dataset") if name not in data]
    wrong += [name for name, own in axes.items() if name in data and data[name].dims != ("seed", "alpha", "beta", *own)]
    wrong += ["entity"] if data.sizes.get("entity") != len(measured_study(data).entities) else []
    if not wrong and data.dataset.values.tolist() != [*data.task.values.tolist(), "public"]:
        wrong = ["dataset"]
    if wrong:
        raise InvalidInput(f"{path} is damaged, or of another version of crossfeed: '{wrong[0]}' is not as in a run")


def measured_study(data: xr.Dataset) -> Study:
    """Study whose measures these are.

    Args:
        data: measures, from `open_measures`.

    Returns:
        The study as it was run.

    Raises:
        InvalidInput: they do not say it, or are of another version.
    """
    source = f"the attribute {_STUDY} of the measures"
    try:
        values = json.loads(data.attrs[_STUDY])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{source} is missing or damaged") from error
    return from_dict(values, source)


def measured_inputs(data: xr.Dataset) -> dict[str, str]:
    """Fingerprints of the texts and pretrained models that measures were taken with.

    Args:
        data: measures, from `open_measures`.

    Returns:
        Fingerprints by what they are of, such as 'texts' and 'checkpoints'; empty if the store has none.

    Raises:
        InvalidInput: they are damaged.
    """
    try:
        return dict(json.loads(data.attrs.get(_INPUTS, "{}")))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the attribute {_INPUTS} of the measures is damaged") from error
