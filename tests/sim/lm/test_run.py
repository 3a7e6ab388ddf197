"""Whole runs of a tiny study: what they measure, and that interrupting them changes nothing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from crossfeed.sim import lm
from crossfeed.sim.lm import (
    OpenCell,
    Progress,
    complete_prompt,
    evaluate_files,
    open_cell,
    open_measures,
    parse_study,
    save_pretrained,
    start_run,
)
from crossfeed.sim.lm.data.tasks import question
from crossfeed.sim.lm.exchange.prompts import draw_prompts
from crossfeed.sim.lm.exchange.training_sets import draw_texts, pack_training_sets
from crossfeed.sim.lm.model.transformer import Transformer
from crossfeed.sim.lm.run import inputs
from crossfeed.sim.lm.run import run as run_module
from crossfeed.sim.lm.run.checkpointing import Checkpoints
from crossfeed.sim.lm.run.inputs import left_out, make_tokenizer, read_inputs, read_pretrained
from crossfeed.sim.lm.run.run_folder import Cell, initial_folder
from crossfeed.sim.lm.study.corpus import make_corpus, read_material
from crossfeed.sim.lm.train.population import Population

from crossfeed.errors import CrossfeedError, InvalidInput

from .tiny_study import TINY, write_texts


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a study into a folder, and open its measures."""
    beside = tmp_path_factory.mktemp("text")
    write_texts(beside)

    def run_in(folder: Path, text: str = TINY, resume: bool = False, listen=lambda now: None) -> xr.Dataset:
        start_run(parse_study(text, folder=beside), folder, resume, listen)
        return open_measures(folder)

    return run_in


@pytest.fixture(scope="module")
def undisturbed(run, tmp_path_factory) -> tuple[Path, xr.Dataset, list[Progress]]:
    folder = tmp_path_factory.mktemp("lm") / "run"
    heard: list[Progress] = []
    return folder, run(folder, listen=heard.append), heard


def test_measures_have_named_axes_and_are_finite(undisturbed):
    _, data, _ = undisturbed
    assert data.loss.dims == ("seed", "alpha", "beta", "generation", "entity", "dataset")
    assert data.loss.notnull().all()
    assert data.loss.attrs["units"] == "nats per token"
    for name in ("similarity", "vendi", "accuracy"):
        assert data[name].sel(generation=[0, 2]).notnull().all()
        assert data[name].sel(generation=1).isnull().all()
    assert data["coordinates"].notnull().all()
    assert len(data.attrs["test_examples_too_long"]) == data.sizes["task"]
    np.testing.assert_allclose(np.diagonal(data.similarity.sel(generation=2), axis1=-2, axis2=-1), 1)


@pytest.mark.filterwarnings("error")
def test_xarray_opens_the_measures_without_a_word(undisturbed):
    folder, data, _ = undisturbed
    xr.testing.assert_identical(xr.open_zarr(folder / "measures.zarr").load(), data)


def test_examples_that_fit_no_row_are_left_out_and_said(tmp_path):
    study = parse_study(TINY, folder=tmp_path)
    write_texts(tmp_path)
    material = read_material(study)
    tokenizer = make_tokenizer(study, material, {})
    task, other = material.tasks
    before = make_corpus(study, material, tokenizer)
    assert (before.fitting[0], before.tests_too_long[0]) == (1, 0)  # so that what follows is of what is added here
    long = [question("many " * 300 + str(number), "1") for number in range(10)]
    task = replace(task, train=(*task.train, *long), test=(long[0], *task.test, long[1]))
    corpus = make_corpus(study, replace(material, tasks=[task, other]), tokenizer)
    assert corpus.tests_too_long == (2, before.tests_too_long[1])
    assert corpus.references[0] == before.references[0]
    assert list(left_out(study, corpus, 3))[:2] == [
        "biology: 10 % of the training examples are longer than 128 tokens, and left out",
        "biology: test examples longer than 128 tokens, 2 of them, are left out",
    ]


def test_tokens_are_counted_by_source(undisturbed):
    _, data, _ = undisturbed
    read = data.tokens_read.isel(seed=0, beta=0)
    room = 2 * 2 * 128
    total = read.sum("source")
    assert ((total > 0.5 * room) & (total <= room)).all()
    assert (read.sel(alpha=1, generation=[1, 2], source="synthetic") == total.sel(alpha=1, generation=[1, 2])).all()
    assert (read.sel(alpha=0, source=["private", "public"]).sum("source") == total.sel(alpha=0)).all()
    assert (data.tokens_counted.isel(seed=0, beta=0) < total).all()


def test_cells_share_generation_0_and_training_helps(undisturbed):
    _, data, _ = undisturbed
    np.testing.assert_array_equal(data.loss.sel(alpha=0, generation=0), data.loss.sel(alpha=1, generation=0))
    alone = data.loss.sel(alpha=0).mean(["entity", "dataset"])
    assert (alone.sel(generation=2) < alone.sel(generation=0)).all()


def test_progress_ends_at_the_total(undisturbed):
    _, _, heard = undisturbed
    assert heard[-1].done == heard[-1].total == 1 + 2 * 2
    done = [now.done for now in heard]
    assert done == sorted(done)
    assert sum(now.tokens for now in heard) > 0
    assert any(0 < now.done < 1 for now in heard)  # before the first generation ends
    parts = {now.doing.partition("generation 2: ")[2]: now.done for now in heard if "α 1" in now.doing}
    assert 4 < parts["training"] <= parts["measuring"] < parts["generating"] <= 5


def test_generation_0_has_no_alpha(undisturbed):
    _, _, heard = undisturbed
    assert all(("α" in now.doing) == ("generation 0" not in now.doing) for now in heard if "generation" in now.doing)


def test_what_a_study_does_not_get_is_said(undisturbed):
    _, data, heard = undisturbed
    notes = [now.note for now in heard if now.note]
    asked_and_had = (
        "measures.text_items is 3, but one dataset has only 2 to complete, of all held out or of the first measures.test_items: "
        "of each, so many are completed"
    )
    assert (data.sizes["item"], notes[-1]) == (2, asked_and_had)


def test_an_embedding_that_cannot_be_had_is_refused_before_anything_is_written(run, tmp_path):
    with pytest.raises(InvalidInput, match="embedding"):
        run(tmp_path / "run", TINY.replace("text_every = 2", 'text_every = 2\nembedding = "no/such-model"'))
    assert not (tmp_path / "run").exists()


class Interrupted(BaseException):
    pass


@pytest.mark.long
@pytest.mark.parametrize("moment", ["measuring", "generating"])
def test_interrupted_and_resumed_it_is_the_same(moment, run, undisturbed, tmp_path):
    _, expected, heard = undisturbed
    moments = [n for n, now in enumerate(heard) if now.doing.endswith(moment) and now.done >= 3]
    count = 0

    def stop(now: Progress) -> None:
        nonlocal count
        count += 1
        if count > moments[-1]:
            raise Interrupted

    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        run(folder, listen=stop)
    # What a kill while a checkpoint is written leaves behind.
    half = folder / "cells" / "seed0_alpha1_beta0.5" / "1.orbax-checkpoint-tmp"
    half.mkdir(parents=True)
    (half / "_METADATA").write_text("half")
    before = open_measures(folder).loss
    assert before.sel(generation=[0, 1]).notnull().all()
    assert before.sel(alpha=1, generation=2).isnull().all()
    # And what a kill leaves behind between two moves of the measures.
    (folder / "measures.zarr").rename(folder / ".measures.zarr.old")
    (folder / ".measures.zarr.part").mkdir()
    seen = []

    def look(now: Progress) -> None:
        if now.doing.endswith(moment):
            seen.append(int(open_measures(folder).loss.notnull().sum()))

    xr.testing.assert_identical(run(folder, resume=True, listen=look), expected)
    assert min(seen) >= int(before.notnull().sum())
    assert not list(folder.glob(".measures*"))


@pytest.mark.parametrize("saved", [0, 1, 4])
def test_a_full_disk_stops_it_and_loses_nothing(saved, run, undisturbed, tmp_path, monkeypatch):
    _, expected, _ = undisturbed
    whole, roomy = shutil.disk_usage(tmp_path), iter([True] * saved)

    def usage(_):
        return whole if next(roomy, False) else whole._replace(free=1000)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", usage)
        with pytest.raises(CrossfeedError, match=r"cannot write to .*: 1,000 bytes are free, and \d+,.* needed; go on"):
            run(tmp_path / "run")
    with jax.enable_x64(False):  # whatever JAX's precision is, models have their own
        xr.testing.assert_identical(run(tmp_path / "run", resume=True), expected)


def test_resuming_a_finished_run_changes_nothing(run, undisturbed):
    folder, expected, _ = undisturbed
    shutil.rmtree(folder / "measures.zarr")  # checkpoints hold all that was in it
    xr.testing.assert_identical(run(folder, resume=True), expected)


@pytest.mark.parametrize(
    ("change", "resume", "says"),
    [
        (("", ""), False, "exists already"),
        (("steps = 2\nbatch", "steps = 3\nbatch"), True, "training.steps is 2 there and 3 in the study"),
        (
            ("alpha = [0, 1]", "alpha = [0, 0.5, 1]"),
            True,
            "holds a smaller study: --extend keeps it and computes the rest",
        ),
        (("alpha = [0, 1]", "alpha = [0, 0.5]"), True, "alpha has 1.0 there only and 0.5 in the study only"),
    ],
)
def test_another_study_is_refused(change: tuple[str, str], resume, says, run, undisturbed):
    folder, expected, _ = undisturbed
    with pytest.raises(InvalidInput, match=says):
        run(folder, TINY.replace(*change, 1), resume)
    xr.testing.assert_identical(open_measures(folder), expected)


@pytest.fixture(scope="module")
def last(undisturbed, tmp_path_factory) -> OpenCell:
    """The last models of a cell, from what a run keeps beside its trained base."""
    folder = tmp_path_factory.mktemp("lm") / "run"
    shutil.copytree(undisturbed[0], folder, ignore=shutil.ignore_patterns("base"))
    cell = open_cell(folder, None, 1.0, 0.5)
    assert not (folder / "base").exists()
    return cell


def test_the_last_models_have_the_losses_of_the_run(last, undisturbed):
    _, data, _ = undisturbed
    found = evaluate_files(last, [], 8)
    expected = data.loss.sel(alpha=1, beta=0.5, seed=0, generation=2, dataset=found.tasks)
    np.testing.assert_allclose(found.loss, expected, rtol=1e-5)
    assert ((found.accuracy >= 0) & (found.accuracy <= 1)).all()


def test_the_last_models_are_evaluated_on_other_files(last, tmp_path):
    files = [tmp_path / name / "test.jsonl" for name in ("one", "two")]
    for number, file in enumerate(files):
        file.parent.mkdir()
        file.write_text("".join(f'{{"question": "{n}?", "answer": "{n * number}"}}\n' for n in range(1, 9)))
    found = evaluate_files(last, files, 7)
    assert (found.tasks, found.items) == (["test 1", "test 2"], [7, 7])
    alone = evaluate_files(last, files[1:], 7)
    np.testing.assert_allclose(alone.loss[:, 0], found.loss[:, 1], rtol=1e-6)


def always_likeliest(model: Transformer, token: int) -> Transformer:
    """A model for which one token is always the likeliest, yet is sampled only once in several hundred times."""

    def changed(path, leaf):
        name = jax.tree_util.keystr(path)
        if "embedding" in name:
            return jnp.full_like(leaf, 1e-3).at[token].set(2e-2)
        return jnp.ones_like(leaf) if "norm" in name else jnp.zeros_like(leaf)

    return jax.tree_util.tree_map_with_path(changed, model)


def test_accuracy_is_that_of_the_likeliest_tokens_whatever_the_temperature_of_the_study(last, tmp_path):
    assert last.study.pool.temperature == 1
    tokenizer, model = last.population.tokenizer, last.population.model(0)
    models = [always_likeliest(model, *tokenizer.encode(letter)) for letter in "ab"]
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file, last_answer in zip(files, ("b", "c"), strict=True):
        answers = [*[file.stem] * 5, last_answer]
        questions = ["many " * 300, *map(str, range(5))]  # the first does not fit training.length, and is left out
        records = ({"question": q, "answer": 6 * a} for q, a in zip(questions, answers, strict=True))
        file.write_text("\n".join(map(json.dumps, records)))
    found = evaluate_files(replace(last, population=Population.of(models, tokenizer)), files, 9)
    assert found.items == [5, 5]
    np.testing.assert_allclose(found.accuracy, [[0.8, 0], [0.2, 0.8]])


def test_the_last_models_are_saved_as_checkpoints_to_start_from(last, tmp_path):
    save_pretrained(last.population.model(1), last.population.tokenizer, tmp_path / "model")
    text = (
        TINY.split("[public]")[0]
        + f'[model]\nbase = "{tmp_path / "model"}"\n[training]\nlength = 128\n[pool]\nnew_tokens = 6\n'
    )
    read = read_pretrained(parse_study(text, folder=tmp_path))[str(tmp_path / "model")]
    assert read.tokenizer.same_as(last.population.tokenizer)
    for ours, theirs in zip(jax.tree.leaves(read.model), jax.tree.leaves(last.population.model(1)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_checkpoint_that_has_changed_is_noticed_on_resume(last, run, tmp_path):
    text = TINY.replace("generations = 2", "generations = 0").replace("[tokenizer]\nvocabulary = 512\n", "")
    text = (
        text.split("[model]")[0] + f'[model]\nbase = "{tmp_path / "model"}"\n[training]' + text.split("[training]")[1]
    )
    save_pretrained(last.population.model(0), last.population.tokenizer, tmp_path / "model")
    data = run(tmp_path / "run", text)
    xr.testing.assert_identical(run(tmp_path / "run", text, resume=True), data)
    save_pretrained(last.population.model(1), last.population.tokenizer, tmp_path / "model")
    with pytest.raises(InvalidInput, match=r"the checkpoints that .* was started with have changed"):
        run(tmp_path / "run", text, resume=True)


def test_the_last_models_complete_a_prompt(last):
    first, second = complete_prompt(last, "Question:", 0.0)
    assert isinstance(first, str)
    assert [first, second] == complete_prompt(last, "Question:", 0.0)
    sampled = complete_prompt(last, "Question:", None)
    assert sampled == complete_prompt(last, "Question:", last.study.pool.temperature) != [first, second]
    assert sampled != complete_prompt(last, "Question:", 3.0)


def test_cells_that_a_run_does_not_hold_are_refused(undisturbed, tmp_path):
    folder, _, _ = undisturbed
    with pytest.raises(InvalidInput, match=r"alpha is 0.3, but the run holds 0, 1"):
        open_cell(folder, None, 0.3, 0.5)
    with pytest.raises(InvalidInput, match="there is no run"):
        open_cell(tmp_path, None, 1.0, 0.5)


def test_a_cell_that_has_not_begun_opens_with_generation_0(undisturbed, tmp_path):
    folder, data, _ = undisturbed
    shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("seed0_alpha*", "measures.zarr"))
    cell = open_cell(tmp_path / "run", None, 1.0, 0.5)
    assert cell.generation == 0
    found = evaluate_files(cell, [], 8)
    expected = data.loss.sel(alpha=1, beta=0.5, seed=0, generation=0, dataset=found.tasks)
    np.testing.assert_allclose(found.loss, expected, rtol=1e-5)
    shutil.rmtree(tmp_path / "run" / "initial")
    with pytest.raises(InvalidInput, match=r"has not come to α 1, β 0.5, seed 0 yet"):
        open_cell(tmp_path / "run", None, 1.0, 0.5)


def test_a_damaged_checkpoint_is_named_with_what_to_do(undisturbed, tmp_path):
    shutil.copytree(undisturbed[0], tmp_path / "run")
    place = tmp_path / "run" / "cells" / "seed0_alpha1_beta0.5"
    for file in (place / "2").rglob("*"):
        if file.is_file():
            file.write_bytes(b"")
    with pytest.raises(CrossfeedError, match=r"beta0.5/2 is damaged .*: with --resume, it is computed again"):
        open_cell(tmp_path / "run", None, 1.0, 0.5)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (
            "pretrain_steps = 6\npretrain_rate = 3e38",
            "seed 0: training the base: the loss of entity 1 is not finite",
        ),
        ("pretrain_steps = 0", "seed 0, β 0.5, generation 0: the loss of entity 1 is not finite"),
    ],
)
def test_training_that_blows_up_stops_and_saves_nothing_of_it(key, says, run, tmp_path):
    text = TINY.replace("pretrain_steps = 2", key).replace("learning_rate = 1e-2", "learning_rate = 1e38")
    with pytest.raises(CrossfeedError, match=says):
        run(tmp_path / "run", text)
    assert not list((tmp_path / "run").rglob("[0-9]"))
    assert not (tmp_path / "run" / "measures.zarr").exists()


VARIED = (
    TINY.replace("beta = [0.5]", "beta = [0.2, 0.9]\nseeds = [0, 1]")
    .replace("learning_rate = 1e-2", 'learning_rate = 1e-9\nstart = "base"')
    .replace("pretrain_steps = 2", "pretrain_steps = 8\npretrain_rate = 1e-2")
    .replace("[training]", "[initial]\nbeta = 1\nsteps = 5\nlearning_rate = 1e-2\n[training]")
    .replace("text_every = 2", "text_every = 1")
)


@pytest.fixture(scope="module")
def varied(run, tmp_path_factory) -> tuple[Path, xr.Dataset]:
    folder = tmp_path_factory.mktemp("lm") / "varied"
    return folder, run(folder, VARIED)


def test_generation_0_is_trained_as_the_study_says_and_alike_everywhere(varied):
    _, data = varied
    read = data.tokens_read.sum("source")
    assert (read.sel(generation=0) > 2 * 2 * 128).all()
    assert (read.sel(generation=1) <= 2 * 2 * 128).all()
    assert (data.tokens_read.sel(generation=0, source="public") == 0).all()
    first = data.loss.sel(generation=0)
    assert (first == first.isel(alpha=0, beta=0)).all()


def test_a_generation_starts_from_the_base_where_the_study_says_so(varied):
    _, data = varied
    apart = data.loss.max("entity") - data.loss.min("entity")
    assert (apart.sel(generation=0).isel(dataset=slice(2)) > 0.1).all()
    assert (apart.sel(generation=[1, 2]) < 1e-4).all()  # the base of all, which a rate of 1e-9 does not move


def test_every_cell_has_its_own_place_and_those_that_are_one_share_it(varied):
    folder, data = varied
    counted = data.tokens_read.sel(generation=1, source="private")
    assert (counted.sel(alpha=0, beta=0.9) > 1.5 * counted.sel(alpha=0, beta=0.2)).all()
    assert (data.loss.sel(seed=0) != data.loss.sel(seed=1)).all()
    assert {path.name for path in (folder / "cells").iterdir()} == {
        *(f"seed{seed}_alpha1" for seed in (0, 1)),
        *(f"seed{seed}_alpha0_beta{beta}" for seed in (0, 1) for beta in (0.2, 0.9)),
    }


def test_every_generation_samples_anew(varied):
    """Generations 1 and 2 measure the same models: both start from the base, which training does not change."""
    _, data = varied
    measured = data.similarity.isel(entity=0, other=1)
    assert (measured.sel(generation=1) != measured.sel(generation=2)).any("dataset").all()


def test_a_generation_trains_on_the_texts_drawn_for_its_seed_and_number(varied):
    """The models are those of before the generation too, since they do not change."""
    folder, data = varied
    alpha, beta, generation = 0.0, 0.2, 2
    study = open_cell(folder, 0, alpha, beta).study
    corpus = read_inputs(study).corpus
    for seed in study.seeds:
        published = draw_prompts(study, corpus, seed, generation)
        draws = draw_texts(study, corpus, published, alpha, beta, seed, generation)
        training_sets = pack_training_sets(study, draws, seed, generation)
        with jax.enable_x64(False):
            models = open_cell(folder, seed, alpha, beta).population
            losses = models.own_losses([one.rows for one in training_sets])
        measured = data.sel(seed=seed, alpha=alpha, beta=beta, generation=generation)
        for entity, (own, one) in enumerate(zip(losses, training_sets, strict=True)):
            of_entity, counted = measured.isel(entity=entity), one.rows.counted
            totals, counts = (values.reshape(study.training.steps, -1).sum(axis=1) for values in (own, counted))
            assert float(of_entity.training_loss) == pytest.approx((totals / counts).mean(), rel=1e-5)
            assert of_entity.tokens_read.values.tolist() == one.tokens.tolist()
            assert float(of_entity.tokens_counted) == one.counted


def test_a_cell_is_opened_with_its_own_models(varied, tmp_path):
    folder, _ = varied
    shutil.copytree(
        folder, tmp_path / "run", ignore=shutil.ignore_patterns("seed0*", "*alpha1", "*beta0.2", "measures.zarr")
    )
    assert open_cell(tmp_path / "run", 1, 0.0, 0.9).generation == 2
    for other in ((1, 0.0, 0.2), (1, 1.0, 0.9)):
        assert open_cell(tmp_path / "run", *other).generation == 0
    with pytest.raises(InvalidInput, match=r"has not come to α 0, β 0.9, seed 0 yet"):
        open_cell(tmp_path / "run", 0, 0.0, 0.9)


@pytest.mark.parametrize(("first", "betas"), [("", {0.2, 0.9}), ("[initial]\nbeta = 1\n", {1.0})])
def test_generation_0_is_kept_for_every_seed_and_for_every_beta_that_it_depends_on(first, betas, tmp_path):
    study = parse_study(VARIED.split("[initial]")[0] + first + "[training]" + VARIED.split("[training]")[1])
    cells = [Cell(seed, alpha, beta) for seed in study.seeds for alpha in study.alpha for beta in study.beta]
    places = {cell: initial_folder(tmp_path, study, cell) for cell in cells}
    assert len({*places.values()}) == 2 * len(betas)
    for cell, place in places.items():
        assert place == initial_folder(tmp_path, study, replace(cell, alpha=0.0))
        assert study.initial_beta(cell.beta) in betas


def test_a_base_that_has_seen_the_tasks_knows_them_better(varied, run, tmp_path):
    text = VARIED.replace("seeds = [0, 1]", "seeds = [0]").replace("alpha = [0, 1]", "alpha = [0]")
    text = text.replace("beta = [0.2, 0.9]", "beta = [0.2]").replace("generations = 2", "generations = 1")
    seen = run(tmp_path / "run", text.replace("pretrain_rate", "pretrain_private = 1\npretrain_rate")).loss
    change = seen.sel(generation=1) - varied[1].loss.sel(generation=1, seed=[0], alpha=[0], beta=[0.2])
    assert (change.isel(dataset=slice(2)) < -0.1).all()
    assert (change.sel(dataset="public") > 0.1).all()


def test_texts_that_have_changed_are_noticed_on_resume(run, tmp_path):
    write_texts(tmp_path)
    study = parse_study(TINY.replace("generations = 2", "generations = 0"), folder=tmp_path)
    start_run(study, tmp_path / "run", False, lambda now: None)
    (tmp_path / "public.txt").write_text((tmp_path / "public.txt").read_text()[::-1])
    with pytest.raises(InvalidInput, match=r"the texts that .* was started with have changed"):
        start_run(study, tmp_path / "run", True, lambda now: None)


def test_a_prompt_that_is_no_text_is_refused(last):
    with pytest.raises(InvalidInput, match=r"the prompt is '\\udcff', which is not UTF-8 text"):
        complete_prompt(last, "\udcff", 0.0)


@pytest.mark.long
def test_curation_fresh_data_builtin_tasks_and_other_sizes_run(run, tmp_path):
    text = TINY.replace("alpha = [0, 1]", "alpha = [1]").replace("generations = 2", "generations = 1")
    text = text.replace("[pool]", "[pool]\ncandidates = 2\nfresh = 0.3\nprompts = 'other'")
    text = text.replace('task = "work.jsonl"', 'task = "arithmetic:work"\nwidth = 20')
    text = text.replace("pretrain_steps = 2", "pretrain_steps = 0")
    data = run(tmp_path / "run", text)
    assert data.loss.notnull().all()
    read = data.tokens_read.isel(seed=0, alpha=0, beta=0).sel(generation=1)
    assert (read.sel(source=["fresh", "synthetic"]) > 0).all()
    assert (read.sel(source=["private", "public"]) == 0).all()


def test_the_outline_of_a_generation_gives_the_measures_of_a_run(undisturbed, tmp_path, monkeypatch):
    """The code in the docstring of `crossfeed.sim.lm`, for the first two generations of a cell."""
    _, data, _ = undisturbed
    monkeypatch.chdir(tmp_path)
    write_texts(tmp_path)
    (tmp_path / "study.toml").write_text(TINY)
    assert lm.__doc__ is not None
    start, generation = (block for block in lm.__doc__.split("\n\n") if block.startswith("    "))
    names = {**vars(run_module), **vars(inputs), **vars(lm)}
    names |= {"folder": tmp_path, "report": lambda what, tokens: None, "seed": 0, "beta": 0.5}
    names |= {"measures": {"loss": {}}, "checkpoints": Checkpoints(tmp_path / "saved")}
    with jax.enable_x64(False):
        exec(dedent(start), names)
        for t, alpha in ((0, 0.0), (1, 1.0)):
            names |= {"t": t, "alpha": alpha, "key": jax.random.split(jax.random.fold_in(jax.random.key(0), t))[0]}
            exec(dedent(generation), names)
            np.testing.assert_array_equal(
                names["measures"]["loss"][t], data.loss.sel(seed=0, alpha=1, beta=0.5, generation=t)
            )
    assert names["checkpoints"].latest == 1
