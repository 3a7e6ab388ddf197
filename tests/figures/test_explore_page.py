"""The pictures and words of the interactive page hold the numbers they are given: α is horizontal, β vertical."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import HoverTool, Image, Line, MultiLine, Scatter, Text
from crossfeed.figures.explore import words
from crossfeed.figures.explore.family import MOST_ENTITIES, TOPICS, Setting, own_family
from crossfeed.figures.explore.model import GENERATIONS, Diagram, Prediction, best_weights, weight_shares
from crossfeed.figures.explore.page import Page, setting_of, sliders_of
from crossfeed.figures.explore.phase_diagram import PhaseDiagram
from crossfeed.figures.explore.trajectories import Trajectories
from crossfeed.figures.explore.transfer_matrix import TransferMatrix
from crossfeed.theory import symmetric_ecosystem

GRID = TOPICS.grid
AXIS = np.linspace(0, 1, GRID)
BETA, ALPHA = np.meshgrid(AXIS, AXIS, indexing="ij")
SETTING = Setting(alpha=0.2, beta=0.9, entities=3, volume=10.0, misalignment=0.4)


def plane() -> Diagram:
    """ρ reaches one on the line α = 0.5 + 0.1 β; efficiency is highest, 0.8, at α = 0.3 and β = 0.9."""
    radius = 0.5 + ALPHA - 0.1 * BETA
    efficiency = 0.8 - (ALPHA - 0.3) ** 2 - (BETA - 0.9) ** 2 / 2
    efficiency = np.where(radius < 1, efficiency, np.nan)
    return jax.tree.map(np.asarray, Diagram(jnp.asarray(radius), jnp.asarray(efficiency)))  # as the page is served


def padded(values) -> jax.Array:
    """Columns of entities that are not there."""
    values = np.asarray(values, dtype=float)
    missing = [(0, 0)] * (values.ndim - 1) + [(0, MOST_ENTITIES - values.shape[-1])]
    return jnp.asarray(np.pad(values, missing, constant_values=np.nan))


ERRORS = np.array([3.0, 6.0, 9.0]) + np.arange(GENERATIONS + 1)[:, None] / GENERATIONS
WEIGHTS = np.array([[0.4, 0.1, 0.2, 0.3], [0.05, 0.5, 0.15, 0.25], [0.01, 0.02, 0.6, 0.35]])  # the public one last


def prediction(radius: float = 0.5) -> Prediction:
    transfer = np.full((MOST_ENTITIES, MOST_ENTITIES + 1), np.nan)
    transfer[:3, [0, 1, 2, -1]] = WEIGHTS if radius < 1 else np.nan
    found = Prediction(
        spectral_radius=jnp.asarray(radius),
        universal_bound=jnp.asarray(1.3),
        kappa=jnp.asarray(0.2),
        knowledge_change=jnp.asarray(1.25),
        public_change=jnp.asarray(0.9),
        minimum_variance=jnp.asarray(1.5),
        mse=padded(ERRORS),
        mean_mse=jnp.asarray(ERRORS.mean(1)),
        limit_mse=jnp.asarray(7.25 if radius < 1 else np.inf),
        efficiency=jnp.asarray(0.61),
        homogenization=jnp.asarray(0.33),
        transfer=jnp.asarray(transfer),
        turn=jnp.asarray(math.pi / 6),
    )
    served = jax.tree.map(np.asarray, found)
    return served._replace(spectral_radius=found.spectral_radius)  # typed where tests check types


def drawn(plot, glyph: type, **properties) -> list[Any]:
    """What the glyphs of a kind draw, in the order of drawing."""
    found = [r for r in plot.renderers if type(r.glyph) is glyph]
    return [r.data_source.data for r in found if all(getattr(r.glyph, k) == v for k, v in properties.items())]


def image_of(plot) -> Image:
    """The image that is drawn."""
    return next(r.glyph for r in plot.renderers if isinstance(r.glyph, Image))


def tooltips(plot) -> dict[str, str]:
    """What hovering shows."""
    (hover,) = plot.select(HoverTool)
    return dict(hover.tooltips)


def legend(plot) -> dict[str, Any]:
    """Data of what the legend names."""
    return {item.label.value: item.renderers[0].data_source.data for item in plot.legend[0].items}


def ends(interval) -> tuple[float, float]:
    """Where an axis begins and ends."""
    return interval.start, interval.end


def words_on(page) -> dict[str, str]:
    """Everything that the page says."""
    return {name: values[0] for name, values in page.said.data.items()}


def test_best_weights_are_a_row_and_a_column():
    assert best_weights(plane()) == pytest.approx((0.9, 0.3, 0.8))


@pytest.mark.parametrize("variable", ["efficiency", "spectral_radius"])
def test_the_phase_diagram_has_alpha_to_the_right_and_beta_upwards(variable):
    diagram, picture = plane(), PhaseDiagram(GRID)
    picture.show(diagram, variable)
    picture.mark(SETTING)
    plot = picture.plot
    assert str(plot.xaxis.axis_label).startswith("α")
    assert str(plot.yaxis.axis_label).startswith("β")
    (image,) = drawn(plot, Image)
    np.testing.assert_array_equal(image["image"][0], getattr(diagram, variable))  # bokeh draws rows upwards
    np.testing.assert_array_equal(image["radius"][0], diagram.spectral_radius)
    np.testing.assert_array_equal(image["efficiency"][0], diagram.efficiency)
    (best,), (here,) = (drawn(plot, Scatter, marker=marker) for marker in ("diamond", "circle"))
    assert (best["x"][0], best["y"][0]) == pytest.approx((0.3, 0.9))
    assert (here["x"], here["y"]) == ([0.2], [0.9])
    for edge in drawn(plot, Line):
        np.testing.assert_allclose(edge["x"], 0.5 + 0.1 * np.asarray(edge["y"]), atol=1e-9)
        assert len(edge["x"]) >= GRID - 1
    (label,) = drawn(plot, Text)
    assert label["x"][0] > 0.5 + 0.1 * label["y"][0] + 0.1, "written where there is no limit"
    assert tooltips(plot) == {
        "α": "$x{0.00}",
        "β": "$y{0.00}",
        "ρ(Q)": "@radius{0.0000}",
        "efficiency": "@efficiency{0.0000}",
    }


def test_a_cell_of_the_phase_diagram_lies_around_its_weights():
    picture = PhaseDiagram(GRID)
    picture.show(plane(), "efficiency")
    glyph = image_of(picture.plot)
    half = 0.5 / (GRID - 1)
    assert (glyph.x, glyph.y, glyph.dw, glyph.dh) == pytest.approx((-half, -half, 1 + 2 * half, 1 + 2 * half))


def test_trajectories_name_their_entity_and_their_levels():
    picture = Trajectories("σ²")
    picture.show(SETTING, prediction())
    (each,) = drawn(picture.plot, MultiLine)
    assert each["name"] == ["entity 1", "entity 2", "entity 3"]
    np.testing.assert_array_equal(each["ys"], ERRORS.T)
    np.testing.assert_array_equal(each["xs"][0], range(GENERATIONS + 1))
    labels = legend(picture.plot)
    np.testing.assert_allclose(labels["mean"]["y"], ERRORS.mean(1))
    assert labels["limit of the mean"]["y"] == [7.25, 7.25]
    assert labels["best that all real data allows"]["y"] == [1.5, 1.5]
    low, high = ends(picture.range)
    assert low < 1.5 < ERRORS.max() < high
    picture.show(SETTING, prediction(radius=1.2))
    assert (labels["limit of the mean"]["y"], labels["best that all real data allows"]["y"]) == ([7.25] * 2, [1.5] * 2)
    labels = legend(picture.plot)
    assert labels["limit of the mean"]["y"] == []


def test_the_transfer_matrix_has_a_row_for_each_entity_and_public_data_first():
    picture = TransferMatrix()
    picture.show(SETTING, prediction())
    public_first = WEIGHTS[:, [3, 0, 1, 2]]
    (image,), (cells,) = drawn(picture.plot, Image), drawn(picture.plot, Text)
    np.testing.assert_array_equal(image["image"][0], public_first)
    written = dict(zip(zip(cells["x"], cells["y"], strict=True), cells["text"], strict=True))
    # Entity k is row k; column 0 is public, column j the private data of entity j.
    assert written == {(j, k): f"{public_first[k - 1, j]:.3f}" for k in (1, 2, 3) for j in range(4)}
    glyph = image_of(picture.plot)
    assert (glyph.x, glyph.y, image["dw"], image["dh"]) == (-0.5, 0.5, [4], [3])
    assert picture.plot.xaxis.major_label_overrides == {0: "public"}
    bottom, top = ends(picture.rows)
    assert bottom > top, "entity 1 is on top"
    assert tooltips(picture.plot)["entity"] == "$y{0}"


def test_shares_of_weight_are_own_others_and_public():
    own, others, public = weight_shares(SETTING, prediction())
    assert own == pytest.approx((0.4 + 0.5 + 0.6) / 3)
    assert others == pytest.approx((0.1 + 0.2 + 0.05 + 0.15 + 0.01 + 0.02) / 3)
    assert public == pytest.approx((0.3 + 0.25 + 0.35) / 3)


def test_numbers_stand_under_their_names():
    assert words.numbers(SETTING, prediction()) == {
        "spectral_radius": "0.5",
        "margin": "0.5",
        "kappa": "0.2",
        "knowledge_change": "1.25",
        "public_change": "0.9",
        "limit_mse": "7.25",
        "minimum_variance": "1.5",
        "efficiency": "0.61",
        "homogenization": "0.33",
        "own": "0.5",
        "others": "0.17667",
        "public": "0.3",
    }


def test_words_say_the_numbers():
    here = prediction()
    assert "α = 0.20, β = 0.90, K = 3, c = 10, misalignment 0.40" in words.caption(SETTING)
    assert "α = 0.3, β = 0.9 (diamond), mean relative efficiency 0.800" in words.about_weights(here, plane())
    assert "halves every 1 generations" in words.verdict(here)
    assert "halves every 2 generations" in words.verdict(prediction(math.sqrt(0.5)))
    assert "grow by 20 %" in words.verdict(prediction(1.2))
    errors = words.about_errors(SETTING, here)
    assert "6 σ² at generation 0 and 7 σ² at generation 50, 16.7 % more. Its limit is 7.25 σ²" in errors
    said = words.about_transfer(SETTING, here)
    assert "50 % on its own private data, 17.7 % on others', 30 % on public data" in said
    assert "leaves 2.33 % unlearned" in said
    assert "turned by 30°" in words.about_turn(SETTING, here)
    assert "ρ(Q) ≤ 1.300" in words.about_turn(SETTING, here)


def test_sliders_are_a_setting_in_the_units_of_the_theory():
    sliders = {"alpha": 0.2, "beta": 0.9, "entities": 3, "log_volume": 1, "misalignment": 0.4, "diagram": "efficiency"}
    assert setting_of(sliders) == SETTING
    assert setting_of(sliders_of(SETTING)) == SETTING


def test_the_distance_to_safety_is_told_for_real_and_public_data():
    here = prediction()
    assert words.about_safety(here) == (
        "Distance to safety: growth is excluded by at least 1.25 times the real data there are (Theorem K), or by at least 0.9 "
        "times the public data, whatever entities know."
    )
    unknown = here._replace(knowledge_change=jnp.asarray(np.nan), public_change=jnp.asarray(np.inf))
    assert words.about_safety(unknown).startswith("No amount of public data excludes growth")
    assert "nothing can grow" in words.about_safety(here._replace(public_change=jnp.asarray(0.0)))


def test_an_own_ecosystem_without_truth_or_efficiency_is_shown_with_what_is_known():
    family = own_family(symmetric_ecosystem(3, jnp.eye(2)), "mine.npz")
    nothing = plane()._replace(efficiency=np.full((GRID, GRID), np.nan))
    here = prediction()._replace(mse=np.full((GENERATIONS + 1, 3), np.nan), mean_mse=np.full(GENERATIONS + 1, np.nan))
    page = Page(Document(), lambda setting: here, lambda setting: nothing, family)
    page.open()
    page.show_here(family.start, here)
    page.show_plane(family.start._replace(alpha=0.0, beta=0.0), nothing)
    said = words_on(page)
    assert said["caption"] == "α = 0.50, β = 0.50, K = 3, c = 1"
    assert "depend on θ" in said["about_errors"]
    assert "there is no efficiency" in said["about_weights"]
    assert drawn(page.diagram.plot, Scatter, marker="diamond")[0]["x"] == []
    assert "misalignment" not in dict(page.sliders.data)


def test_an_answer_reaches_all_pictures_and_words_of_the_page():
    page = Page(Document(), lambda setting: prediction(), lambda setting: plane())
    page.open()
    page.show_here(SETTING, prediction())
    page.show_plane(SETTING._replace(alpha=0.0, beta=0.0), plane())
    (circle,) = drawn(page.diagram.plot, Scatter, marker="circle")
    assert (circle["x"], circle["y"]) == ([0.2], [0.9])
    said = words_on(page)
    assert said["caption"] == words.caption(SETTING)
    assert said["about_weights"] == words.about_weights(prediction(), plane())
    assert said["spectral_radius"] == "0.5"
    (image,) = drawn(page.diagram.plot, Image)
    np.testing.assert_array_equal(image["image"][0], plane().efficiency)


def test_the_phase_diagram_listens_to_taps_and_drags():
    """What these do is tested in a browser, where there is one: tests/cli/test_explore.py."""
    page = Page(Document(), lambda setting: prediction(), lambda setting: plane())
    page.open()
    assert {"tap", "pan"} <= page.diagram.plot.js_event_callbacks.keys()


def test_a_phase_diagram_of_another_setting_is_not_described():
    page = Page(Document(), lambda setting: prediction(), lambda setting: plane())
    page.open()
    page.show_here(SETTING, prediction())
    page.show_plane(SETTING._replace(alpha=0.0, beta=0.0, volume=1.0), plane())
    assert "about_weights" not in words_on(page)
