"""Settings of figures: those that are shipped, those of a user, and what is refused."""

import csv
import json
import tomllib
from dataclasses import asdict, dataclass, fields
from typing import Annotated

import numpy as np
import pytest
from crossfeed.figures import settings
from crossfeed.figures.catalog import FIGURES
from crossfeed.figures.drawing import Drawing, draw_all
from crossfeed.figures.relative_efficiency import Settings
from crossfeed.figures.report import Report
from crossfeed.figures.settings import (
    Within,
    changes_from_file,
    changes_from_words,
    read_settings,
    shipped_text,
)

from crossfeed.errors import InvalidInput


@pytest.mark.parametrize("name", FIGURES)
def test_every_shipped_file_holds_every_setting(name):
    record = FIGURES[name].settings
    content = tomllib.loads(shipped_text(record))
    quick = content.pop("quick", {})
    assert list(content) == [field.name for field in fields(record)]
    full, small = (json.loads(json.dumps(asdict(read_settings(record, quick)))) for quick in (False, True))
    assert full == content
    assert small == content | quick


def read(*words, quick=False) -> Settings:
    return read_settings(Settings, quick, [changes_from_words(words)])


def test_a_user_changes_what_a_figure_is_drawn_with(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("entities = 20\nbeta = 0.3\n[quick]\npoints = 5\n")
    found = read_settings(Settings, changes=[changes_from_file(file), changes_from_words(["entities=3"])])
    assert (found.entities, found.beta, found.points) == (3, (0.3,), 200)
    found = read_settings(Settings, True, [changes_from_file(file)])
    assert (found.entities, found.points, found.replicates) == (20, 5, 300)
    assert read("points=7", quick=True).points == 7
    assert read("sampled_alpha = [0.1, 1]").sampled_alpha == (0.1, 1.0)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (
            "entity=3",
            r"^set: entity is 3, but there is no such setting: the settings are seed, entities, .*sampled_alpha$",
        ),
        ("entities=0", "entities is 0, but must be a whole number from 1 to 200; the settings are seed, "),
        ("entities=2.5", "entities is 2.5, but must be a whole number"),
        ("entities=true", "entities is True, but must be a whole number"),
        ("entities=four", "entities is 'four', but must be a whole number"),
        ("beta=[0.1, 1.5]", r"beta is \[0.1, 1.5\], but must be a list of 1 to 4 numbers from 0 to 1"),
        ("beta=[]", r"beta is \[\], but must be a list of 1 to 4 numbers"),
        ("beta=[0.1, 0.2, 0.3, 0.4, 0.5]", r"beta is .*, but must be a list of 1 to 4 numbers"),
        ("beta=nan", r"beta is nan, but must be a list"),
        ("rank=16", "rank is 16, but must be at most dimension, which is 15"),
        ("rank", "set is 'rank', but must be KEY=VALUE"),
        ("seed=9223372036854775808", "seed is '9223372036854775808', but must be a whole number"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(word, says):
    with pytest.raises(InvalidInput, match=says):
        read(word)


def test_a_file_is_refused_with_its_line(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("seed = 1\n[quick]\npoints = 'many'\n")
    with pytest.raises(InvalidInput, match=r"mine\.toml, line 3: quick\.points is 'many', but must be a whole number"):
        read_settings(Settings, changes=[changes_from_file(file)])
    with pytest.raises(InvalidInput, match="names entities twice"):
        changes_from_words(["entities=3", "entities=4"])


@dataclass(frozen=True)
class First:
    seed: int
    size: Annotated[int, Within(1, 9)]


@dataclass(frozen=True)
class Second:
    seed: int
    length: int


def test_a_change_applies_to_all_figures_that_have_the_setting(tmp_path, monkeypatch):
    shipped = {First: "seed = 0\nsize = 1", Second: "seed = 0\nlength = 2"}
    monkeypatch.setattr(settings, "shipped_text", shipped.get)
    drawn = []

    def draw(request, settings):
        drawn.append((request.changed, settings))
        return Report("x", "x", "x", "x", {})

    figures = {record.__name__.lower(): Drawing("", record, draw) for record in (First, Second)}

    def all_of(*words):
        return list(draw_all(figures, tmp_path, changes=[changes_from_words(words)]))

    all_of("seed=5", "length=3")
    assert drawn == [("seed = 5", First(5, 1)), ("seed = 5, length = 3", Second(5, 3))]
    drawn.clear()
    with pytest.raises(InvalidInput, match="first: set: width is 3, but there is no such setting"):
        all_of("width=3")
    with pytest.raises(InvalidInput, match="first: set: size is 10, but must be a whole number from 1 to 9"):
        all_of("size=10")
    assert not drawn, "settings are checked before the first figure is drawn"


@pytest.mark.long
def test_figure_2_with_another_ecosystem(tmp_path):
    entities = 14
    words = [
        f"entities={entities}",
        "beta=0.4",
        "points=5",
        "generations=3",
        "replicates=20",
        "seed=2",
        "dimension=3",
        "rank=1",
    ]
    report = next(draw_all({"fig2": FIGURES["fig2"]}, tmp_path, changes=[changes_from_words(words)])).report
    with (tmp_path / "fig2.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert {row["entity"] for row in rows} == set(range(1, entities + 1))
    assert {row["beta"] for row in rows} == {0.4}
    np.testing.assert_allclose(sorted({row["alpha"] for row in rows}), np.linspace(0.001, 0.99, 5))
    assert f"K = {entities}, d = 3" in report.setting
    assert report.setting.endswith(
        f"Changed: seed = 2, entities = {entities}, dimension = 3, rank = 1, beta = [0.4], points = 5, generations = 3, "
        "replicates = 20."
    )
    drawn = "".join((tmp_path / "fig2.svg").read_text().split())
    assert "Changed:" in drawn
    assert f"entities\u00a0=\u00a0{entities}" in (tmp_path / "fig2.svg").read_text()
