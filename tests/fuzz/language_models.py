"""Readers of language models that are fuzzed: pretrained models, tokenizers, studies, tasks, and folders of runs."""

import json
import struct
from pathlib import Path
from random import Random
from unittest.mock import patch

import jax
import numpy as np
import xarray as xr
from crossfeed.sim.lm import open_cell, open_measures, parse_study, read_study, save_pretrained
from crossfeed.sim.lm.data.task_files import read_examples
from crossfeed.sim.lm.data.tokenizer import load_tokenizer, train_tokenizer
from crossfeed.sim.lm.evaluation.measure import Measurer
from crossfeed.sim.lm.model.config import llama_config
from crossfeed.sim.lm.model.formats.pretrained import load_pretrained
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.run.checkpointing import Checkpoints
from crossfeed.sim.lm.run.inputs import read_inputs
from crossfeed.sim.lm.run.measures_store import write_measures
from crossfeed.sim.lm.run.run_folder import Cell, create_run, initial_folder
from crossfeed.sim.lm.train.population import Population
from flax import nnx

from . import mutations as by
from .harness import Reader

_QUESTION = "Question: What is 1 + 2?\nAnswer: 3"
_STUDY = """[study]
alpha = [0, 1]
beta = [0.5]
generations = 1
samples = 40
[[entity]]
task = "tasks.jsonl"
[public]
text = "public.txt"
[tokenizer]
vocabulary = 300
[model]
layers = 1
width = 8
heads = 2
context = 64
pretrain_steps = 0
[initial]
beta = 1
[training]
steps = 1
batch = 2
length = 64
warmup = 0.1
loss = "completion"
[pool]
new_tokens = 6
temperature = 0.5
shares = [1.0]
[measures]
test_items = 4
text_items = 2
"""


def _write_tasks(folder: Path) -> None:
    arc = [{"label": label, "text": f"choice {label}"} for label in "AB"]
    layouts = (
        {"question": "What is 1 + 2?", "answer": "1 + 2 = <<1+2=3>>3\n#### 3"},
        {"question": "Which floats?", "correct_answer": "cork", "support": "s", "distractor1": "stone"},
        {"question": {"stem": "Which?", "choices": arc}, "answerKey": "B"},
        {"question": "Which one?", "choices": {"label": ["1", "2"], "text": ["x", "y"]}, "answerKey": 2},
        {"question": "Which of them?", "choices": ["x", "y"], "answer": 1},
    )
    (folder / "tasks.jsonl").write_text("".join(f"{json.dumps(layout)}\n" for layout in layouts))


def _write_study(folder: Path) -> None:
    _write_tasks(folder)
    (folder / "public.txt").write_text("far away from here " * 300)
    (folder / "study.toml").write_text(_STUDY)


def _model(vocabulary: int) -> Transformer:
    sizes = llama_config(vocabulary, hidden=8, layers=2, heads=2, feed_forward=8, context=64)
    return Transformer(sizes, rngs=nnx.Rngs(0))


def _write_folder(folder: Path) -> None:
    tokenizer = train_tokenizer([_QUESTION], 270)
    save_pretrained(_model(tokenizer.size), tokenizer, folder)
    (folder / "generation_config.json").write_text('{"eos_token_id": [0, 1]}')
    names = ["model.safetensors"] * 2
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict(zip("ab", names, strict=True))})
    )


def _read_model(path: Path, tokenizer: Path | None = None) -> None:
    loaded = load_pretrained(path, tokenizer)
    ids = loaded.tokenizer.encode(_QUESTION)
    assert all(0 <= number < loaded.model.config.vocabulary for number in ids), "an id beyond the model"
    assert ids == loaded.tokenizer.encode(_QUESTION), "one text has two encodings"
    loaded.tokenizer.decode(ids)


def _write_tokenizer(folder: Path) -> None:
    train_tokenizer([_QUESTION], 270).save(folder / "tokenizer.json")
    (folder / "config.json").write_text('{"eos_token_id": 0, "bos_token_id": 0}')


def _read_tokenizer(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    ids = tokenizer.encode(_QUESTION)
    assert ids == tokenizer.encode(_QUESTION), "one text has two encodings"
    tokenizer.decode(ids)


def _write_llama2c(folder: Path) -> None:
    dim, inner, layers, heads, context = 8, 16, 2, 2, 32
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), " ", "a", "b", " a"]
    content = struct.pack("<i", 6)
    for number, piece in enumerate(pieces):
        content += struct.pack("<fi", -float(number), len(piece)) + piece.encode()
    (folder / "tok.bin").write_bytes(content)
    numbers = len(pieces) * dim + layers * (2 * dim + 4 * dim**2 + 3 * dim * inner) + dim + context * dim // heads
    header = struct.pack("<7i", dim, inner, layers, heads, heads, len(pieces), context)
    values = np.random.default_rng(0).normal(size=numbers).astype("<f4")
    (folder / "model.bin").write_bytes(header + values.tobytes())


def _write_run(folder: Path) -> None:
    """The folder of a run as it is after generation 0, with models that nothing has trained."""
    _write_study(folder)
    study = parse_study(_STUDY, folder=folder)
    inputs = read_inputs(study)
    run, model = folder / "run", _model(inputs.tokenizer.size)
    run.mkdir()
    create_run(run, study, inputs.corpus, inputs.fingerprints(), inputs.tokenizer, [model.config])
    measures = Measurer(study, inputs.corpus, inputs.tokenizer).empty()
    measures["loss"][0] = np.arange(measures["loss"][0].size).reshape(measures["loss"][0].shape)
    cells = [Cell(0, alpha, 0.5) for alpha in study.alpha]
    population = Population.of([model], inputs.tokenizer)
    Checkpoints(initial_folder(run, study, cells[0])).save(0, {"models": population.state, "measures": measures})
    write_measures(run, study, inputs.corpus, inputs.fingerprints(), dict.fromkeys(cells, measures))
    for file in ("tasks.jsonl", "public.txt", "study.toml"):  # only the run is damaged
        (folder / file).unlink()
    _known.append((open_measures(run), _leaves(run)))


def _leaves(run: Path) -> list[bytes]:
    cell = open_cell(run, None, 1.0, 0.5)
    said = [json.dumps(cell.study.as_dict()), cell.population.tokenizer.backend.to_str()]
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(cell.population.state)] + [x.encode() for x in said]


_known: list[tuple[xr.Dataset, list[bytes]]] = []


def _read_run(folder: Path) -> None:
    """Numbers and models are those that were written, or refused."""
    measures, leaves = _known[-1]
    room = "crossfeed.sim.lm.run"
    # No run replaces the files meanwhile, so none has to be read again.
    with patch(f"{room}.evaluate._ATTEMPTS", 1), patch(f"{room}.measures_store._ATTEMPTS", 1), patch("time.sleep"):
        try:
            assert open_measures(folder / "run").identical(measures), "damaged measures are read"
        finally:
            assert _leaves(folder / "run") == leaves, "damaged models are used"


def _lie_safetensors(folder: Path, random: Random) -> None:
    """Change one value in the header of a safetensors file, or its length."""
    file = random.choice([one for one in by.files_of(folder) if one.suffix == ".safetensors"])
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    tensor = header[random.choice([name for name in header if name != "__metadata__"])]
    offsets = [[0, 4], [0, 2**62], [8, 4], [-1, 3]]
    values = {"dtype": ["F8_E4M3", "I8", "F64", "BOOL", "F4", 3], "shape": [[2**40, 2**40], [0], [], [-1], ["a"]]}
    key = random.choice(["dtype", "shape", "data_offsets"])
    tensor[key] = random.choice(values.get(key, offsets))
    lied = json.dumps(header).encode()
    size = random.choice((len(lied), len(lied), len(lied), 2**63, 0))
    file.write_bytes(size.to_bytes(8, "little") + lied + content[8 + length :])


_CHANGES = (*by.BYTES, by.replace_file)

READERS = {
    reader.name: reader
    for reader in (
        Reader("model", _write_folder, _read_model, (*_CHANGES, *(by.change_json,) * 8, *(_lie_safetensors,) * 3)),
        Reader("tokenizer", _write_tokenizer, _read_tokenizer, (*_CHANGES, *(by.change_json,) * 8)),
        Reader(
            "llama2c",
            _write_llama2c,
            lambda folder: _read_model(folder / "model.bin", folder / "tok.bin"),
            _CHANGES,
        ),
        Reader(
            "study",
            _write_study,
            lambda folder: read_study(folder / "study.toml"),
            (*by.BYTES, *(by.change_toml,) * 10, by.replace_file),
        ),
        Reader(
            "tasks",
            _write_tasks,
            lambda folder: read_examples(folder / "tasks.jsonl"),
            (*_CHANGES, *(by.change_json,) * 8),
        ),
        Reader("run", _write_run, _read_run, (*_CHANGES, by.change_json, by.swap_folder)),
    )
}
"""Every reader by its name."""
