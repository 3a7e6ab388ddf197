"""Tables and figures of language-model runs, with seeds that are missing, unfinished or alone."""

import csv
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from crossfeed.cli.lm import LmTable
from crossfeed.figures.lm.plots import embedding_figure, embedding_values, loss_figure, loss_values, setting
from crossfeed.figures.lm.runs import open_runs
from crossfeed.figures.lm.tables import loss_table, score_lines, similarity_table
from crossfeed.sim.lm import parse_study
from matplotlib.collections import PolyCollection

from crossfeed.errors import InvalidInput

STUDY = parse_study('[study]\nalpha = [0]\nbeta = [0]\n[[entity]]\ntask = "science"\n[[entity]]\ntask = "arithmetic"')
LEVELS = (0.0, 0.5, 1.0)
LAST = 2


def measures(seeds, alphas=LEVELS, betas=LEVELS, tasks=("a", "b")) -> xr.Dataset:
    """Losses that fall from 3 by α + β + seed / 10; likeness and coordinates that are the same everywhere."""
    axes = {"seed": list(seeds), "alpha": list(alphas), "beta": list(betas), "generation": np.arange(LAST + 1)}
    entity = [1, 2]
    seed, alpha, beta, generation = (
        xr.DataArray(values, dims=name, coords={name: values}) for name, values in axes.items()
    )
    fall = (alpha + beta + seed / 10) * generation / LAST
    loss = (3 - fall).expand_dims(entity=entity, dataset=[*tasks, "public"])
    similarity = (0.1 * generation + 0 * fall).expand_dims(dataset=[*tasks, "public"], entity=entity, other=entity)
    moved = (
        fall.isel(generation=[0, -1]).rename(generation="moment").assign_coords(moment=["first", "last"])
    ).expand_dims(entity=entity, dataset=[*tasks, "public"], item=3, coordinate=4)
    noise = np.random.default_rng(0).normal(size=(2, 3, 3, 4))
    coordinates = moved + xr.DataArray(noise, dims=("entity", "dataset", "item", "coordinate"))
    order = ("seed", "alpha", "beta", "generation", "entity", "dataset")
    variables = {
        "loss": loss.transpose(*order),
        "similarity": similarity.transpose(*order[:4], "dataset", "entity", "other"),
        "coordinates": coordinates.transpose(*order[:3], "moment", "entity", "dataset", "item", "coordinate"),
    }
    return xr.Dataset(variables, {"task": list(tasks)}, {"crossfeed_study": json.dumps(STUDY.as_dict())})


def unfinished(data: xr.Dataset, seed: int) -> xr.Dataset:
    """The same, with this seed at generation 1 everywhere."""
    stopped = (data.seed == seed) & (data.generation > 1)
    late = (data.seed == seed) & (data.moment == "last")
    return data.assign(
        loss=data.loss.where(~stopped),
        similarity=data.similarity.where(~stopped),
        coordinates=data["coordinates"].where(~late),
    )


def saved(data: xr.Dataset, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that text in Zarr 3 is an extension
        data.to_zarr(folder / "measures.zarr", consolidated=False)
    return folder


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_runs_join_over_their_cells_and_say_how_many_seeds_each_has(tmp_path):
    everywhere = saved(measures([0]), tmp_path / "one")
    more = saved(measures([1, 2], betas=[0.5]), tmp_path / "two")
    data = open_runs([everywhere, more])
    table = loss_table(data)
    columns = dict(zip(table.header, texts(table)[0], strict=True))
    assert columns["β=0.5 α=0.5 (3 seeds)"] == "3.00 → 1.90 ± 0.10"
    assert columns["β=1 α=0.5 (1 seed)"] == "3.00 → 1.50"
    assert "nan" not in table.markdown() + similarity_table(data).markdown()
    assert [cell.marked for cell in table.rows[0][1:3]] == ["3.00 → 3.00", "3.00 → 2.50 ▼"]
    lines = score_lines(data)
    assert lines[0] == "means of 1 to 3 seeds per cell"
    assert sum("pattern score" in line for line in lines) == 2


def test_one_seed_may_be_spread_over_runs_but_not_in_one_cell(tmp_path):
    parts = [saved(measures([0], betas=[beta]), tmp_path / f"{beta}") for beta in LEVELS]
    xr.testing.assert_allclose(open_runs(parts), measures([0]))
    with pytest.raises(InvalidInput, match=r"share a cell: seed 0, α = 0, β = 0.5"):
        open_runs([*parts, saved(measures([0, 1]), tmp_path / "all")][1:])


def test_runs_of_other_tasks_do_not_join(tmp_path):
    with pytest.raises(InvalidInput, match=r"differ in '(task|dataset)'"):
        open_runs([saved(measures([0]), tmp_path / "a"), saved(measures([1], tasks=("a", "c")), tmp_path / "b")])


def test_runs_with_other_settings_do_not_join(tmp_path):
    other = replace(STUDY, seeds=(1,), training=replace(STUDY.training, learning_rate=0.5)).as_dict()
    changed = measures([1]).assign_attrs(crossfeed_study=json.dumps(other))
    folders = [saved(measures([0]), tmp_path / "one"), saved(changed, tmp_path / "two")]
    with pytest.raises(InvalidInput, match=r"do not fit together: training.learning_rate is .* there and 0.5"):
        open_runs(folders)


def test_runs_that_start_from_other_checkpoints_do_not_join(tmp_path):
    folders = [
        saved(measures([seed]).assign_attrs(crossfeed_inputs=json.dumps({"checkpoints": read})), tmp_path / read)
        for seed, read in enumerate("ab")
    ]
    with pytest.raises(InvalidInput, match=r"a and .*b do not fit together: their checkpoints differ"):
        open_runs(folders)


def test_runs_from_before_a_setting_was_added_join(tmp_path):
    older = STUDY.as_dict()
    del older["training"]["remat"]
    before = measures([0]).assign_attrs(crossfeed_study=json.dumps(older))
    assert open_runs([saved(before, tmp_path / "one"), saved(measures([1]), tmp_path / "two")]).sizes["seed"] == 2


def test_names_of_tasks_are_printed_as_they_are(tmp_path, capsys):
    LmTable((saved(measures([0], tasks=("[bold]a", "b")), tmp_path),)).run()
    assert "[bold]a" in capsys.readouterr().out


def test_the_setting_names_what_each_model_starts_from():
    entities = (replace(STUDY.entities[0], base="/models/one"), replace(STUDY.entities[1], base="/models/two"))
    record = json.dumps(replace(STUDY, entities=entities).as_dict())
    assert setting(measures([0]).assign_attrs(crossfeed_study=record)).startswith("base one, two; ")
    narrow = (STUDY.entities[0], replace(STUDY.entities[1], width=32))
    record = json.dumps(replace(STUDY, entities=narrow).as_dict())
    expected = "base scratch (2 layers, width 64), scratch (2 layers, width 32); "
    assert setting(measures([0]).assign_attrs(crossfeed_study=record)).startswith(expected)


def test_many_entities_are_drawn_as_means_over_own_and_others_tasks():
    two = measures([0])
    names = ["a", "b", "c"]
    loss = xr.concat([two.loss.sel(entity=1, drop=True)] * 3, "entity").assign_coords(entity=[1, 2, 3])
    loss = xr.concat([loss.isel(dataset=0, drop=True)] * 3, "dataset").assign_coords(dataset=names)
    own = xr.DataArray(np.eye(3), coords={"entity": [1, 2, 3], "dataset": names}, dims=("entity", "dataset"))
    data = xr.Dataset({"loss": loss + own}, {"task": names}, two.attrs)
    figure = loss_figure(data)
    top = figure.axes[:2]
    assert [panel.get_title().split(",")[0] for panel in top] == ["own task", "others' tasks"]
    for panel, expected in zip(top, (4 - 0.5, 3 - 0.5), strict=True):
        assert np.asarray(panel.lines[1].get_ydata())[-1] == pytest.approx(expected)  # β = 0, α = 0.5


def test_unfinished_seeds_are_left_out_of_both_ends():
    data = unfinished(measures([0, 4]), 4)
    data["loss"] = data.loss.where((data.seed == 0) | (data.generation > 0), 9.0)
    table = loss_table(data)
    assert table.title.endswith("of 1 finished seed")
    assert texts(table)[0][1] == "3.00 → 3.00"
    assert score_lines(data) == score_lines(measures([0]))
    nothing = loss_table(unfinished(measures([0]), 0))
    assert texts(nothing)[0][1] == "3.00 → …"
    assert nothing.rows[0][1].direction == 0
    assert texts(similarity_table(unfinished(measures([0]), 0)))[0][1] == "0.00 → …"
    with pytest.raises(InvalidInput, match="not finished"):
        score_lines(unfinished(measures([0]), 0))


def bands(figure) -> list[list[PolyCollection]]:
    return [[part for part in panel.collections if isinstance(part, PolyCollection)] for panel in figure.axes]


def test_bands_are_those_of_the_table_and_one_seed_has_none():
    assert not any(bands(loss_figure(measures([0]))))
    first = bands(loss_figure(measures([0, 1, 2], betas=[0.5])))[0]
    assert len(first) == 3
    heights = np.asarray(first[0].get_paths()[0].vertices)
    assert np.ptp(heights[heights[:, 0] == LAST][:, 1]) == pytest.approx(2 * 0.1)  # as ± 0.10 in the table
    assert "bands: one standard deviation" in loss_figure(measures([0, 1])).get_supxlabel()
    assert len(bands(loss_figure(unfinished(measures([0, 1]), 1)))[0]) == 3
    apart = loss_figure(
        xr.merge(
            [measures([0], [0.0]), measures([1], [1.0])], join="outer", compat="no_conflicts", combine_attrs="override"
        )
    )
    assert not any(bands(apart))
    assert "bands" not in apart.get_supxlabel()


def test_embeddings_are_those_of_the_first_finished_seed():
    figure = embedding_figure(unfinished(measures([3, 7]), 3), 0.5)
    assert figure.get_supxlabel().endswith("seed 7")
    with pytest.raises(InvalidInput, match="not finished"):
        embedding_figure(unfinished(measures([3]), 3), 0.5)


def with_rate(data: xr.Dataset, rate: float) -> xr.Dataset:
    """The same, of a study with another learning rate."""
    study = replace(STUDY, training=replace(STUDY.training, learning_rate=rate))
    return data.assign_attrs(crossfeed_study=json.dumps(study.as_dict()))


@pytest.fixture
def slow_and_fast(tmp_path) -> tuple[Path, ...]:
    """Two runs that fit together, and one of another learning rate and with fewer α."""
    slow = [saved(with_rate(measures([seed]), 0.25), tmp_path / f"slow{seed}") for seed in (0, 1)]
    return (*slow, saved(with_rate(measures([0], alphas=[0.5]), 0.5), tmp_path / "fast"))


def test_runs_of_other_settings_stand_side_by_side_below_what_differs(slow_and_fast, tmp_path, capsys):
    LmTable(slow_and_fast, tmp_path / "table.md").run()
    settings, losses, similarities, *_ = (tmp_path / "table.md").read_text().split("\n\n**")
    slow, fast = ", ".join(map(str, slow_and_fast[:2])), str(slow_and_fast[2])
    assert settings.splitlines()[2:] == [
        f"|  | {slow} | {fast} |",
        "| --- | --- | --- |",
        "| alpha | [0.0, 0.5, 1.0] | [0.5] |",
        "| seed | [0, 1] | [0] |",
        "| training.learning_rate | 0.25 | 0.5 |",
    ]
    assert losses.startswith("Test loss, first → last generation**")
    rows = [line.split(" | ") for line in losses.splitlines() if "M1 on T1" in line]
    assert [row[1] for row in rows] == [slow, fast]
    assert [row[2:5] for row in rows] == [
        ["3.00 → 2.95 ± 0.07", "3.00 → 2.45 ± 0.07 ▼", "3.00 → 1.95 ± 0.07 ▼"],
        ["", "3.00 → 2.50 ▼", ""],
    ]
    assert similarities.startswith("Similarity between models**")
    assert "training.learning_rate" in capsys.readouterr().out


def test_numbers_of_tables_for_programs(slow_and_fast, capsys):
    LmTable(slow_and_fast, csv=True).run()
    printed = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    LmTable(slow_and_fast, json=True).run()
    answer = json.loads(capsys.readouterr().out)
    assert answer["settings"]["training.learning_rate"] == ["0.25", "0.5"]
    assert [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in answer["rows"]
    ] == printed
    (row,) = [
        row
        for row in answer["rows"]
        if (row["runs"], row["measure"], row["entity"], row["dataset"], row["alpha"], row["beta"])
        == (answer["runs"][0], "loss", 2, "a", 0.5, 1.0)
    ]
    assert (row["seeds"], row["first"]) == (2, 3.0)
    assert row["last"] == pytest.approx(3 - 1.55)
    assert row["deviation"] == pytest.approx(0.1 / 2**0.5)
    assert len(printed) == (9 + 3) * (2 * 2 + 3)
    with pytest.raises(InvalidInput, match="give either --json or --csv"):
        LmTable(slow_and_fast, json=True, csv=True).check()


def test_runs_whose_texts_lie_elsewhere_join(tmp_path):
    folders = []
    for seed, home in enumerate(("/home/one", "/home/two")):
        entities = tuple(replace(entity, task=f"{home}/{entity.task}.jsonl") for entity in STUDY.entities)
        study = replace(STUDY, entities=entities, public=f"{home}/books")
        data = measures([seed]).assign_attrs(crossfeed_study=json.dumps(study.as_dict()))
        folders.append(saved(data, tmp_path / f"{seed}"))
    assert open_runs(folders).sizes["seed"] == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.drop_attrs(), "attribute crossfeed_study of the measures is missing or damaged"),
        (
            lambda data: data.assign_attrs(crossfeed_study="[[["),
            "crossfeed_study of the measures is missing or damaged",
        ),
        (lambda data: data.assign_attrs(crossfeed_study="[1]"), "is damaged, or of another version of crossfeed"),
        (lambda data: data.assign_attrs(crossfeed_study='{"model": {"x": 1}}'), "is damaged, or of another version"),
        (
            lambda data: data.assign_attrs(crossfeed_study=data.attrs["crossfeed_study"].replace("width", "w")),
            "damaged",
        ),
        (lambda data: data.assign_attrs(crossfeed_inputs="3"), "crossfeed_inputs of the measures is damaged"),
        (lambda data: data.drop_vars("loss"), "'loss' is not as in a run"),
        (lambda data: data.drop_vars("task"), "'task' is not as in a run"),
        (lambda data: data.assign_coords(dataset=["a", "b", "publik"]), "'dataset' is not as in a run"),
        (lambda data: data.isel(entity=[0]), "'entity' is not as in a run"),
        (lambda data: data.rename(seed="sied"), "'loss' is not as in a run"),
    ],
)
def test_a_store_that_is_not_that_of_a_run_is_one_sentence(change, says, tmp_path):
    with pytest.raises(InvalidInput, match=says) as caught:
        open_runs([saved(change(measures([0])), tmp_path)])
    assert len(str(caught.value).splitlines()) == 1


def test_numbers_behind_the_figures():
    data = measures([0, 1])
    table = loss_values(data)
    chosen = (table["panel"] == "model 2 on a") & (table["beta"] == 0.5) & (table["alpha"] == 1.0)
    shown = data.loss.sel(entity=2, dataset="a", beta=0.5, alpha=1.0)
    np.testing.assert_allclose(table["loss"][chosen], shown.mean("seed"))
    np.testing.assert_allclose(table["standard_deviation"][chosen], shown.std("seed", ddof=1))
    np.testing.assert_array_equal(table["generation"][chosen], range(LAST + 1))

    table = embedding_values(data, 0.5)
    panels = embedding_figure(data, 0.5).axes
    cloud = panels[0].lines[0]
    chosen = (table["panel"] == "a, generation 0") & (table["model"] == 1)
    np.testing.assert_allclose(np.asarray(cloud.get_xdata()), table["component_1"][chosen])
    np.testing.assert_allclose(np.asarray(cloud.get_ydata()), table["component_2"][chosen])
    assert len(set(table["panel"])) == len(panels)
