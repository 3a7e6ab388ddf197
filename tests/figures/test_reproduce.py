import csv
import html
import json
import math
import re

import jax
import numpy as np
import pytest
from crossfeed.figures.report import write_figure
from crossfeed.figures.reproduce import STAGES, reproduce
from crossfeed.theory import Weights, limit, load_ecosystem, mspe, random_gaussian, relative_efficiency, trajectory

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def figures():
    """The pictures by name, as they are written."""
    return {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, figures):
    folder = tmp_path_factory.mktemp("reproduce")

    def keep(figure, path):
        figures[path.stem] = figure
        write_figure(figure, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossfeed.figures.report.write_figure", keep)
        names = [one.report.name for one in reproduce(folder, quick=True)]
    assert names == list(STAGES)
    return folder


@pytest.fixture(scope="module")
def report(folder):
    return json.loads((folder / "report.json").read_text())


def rows(folder, name):
    with (folder / f"{name}.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_every_file_is_there_and_nothing_is_left_over(folder, report):
    written = {path.name for path in folder.iterdir()}
    named = {name for figure in report["figures"].values() for name in figure["files"]}
    assert written == named | {"report.json", "index.html"}
    assert {
        "fig2.svg",
        "fig2.png",
        "fig2.csv",
        "fig4.svg",
        "lemma1.png",
        "phase_diagram.csv",
        "real_data.csv",
    } <= written


def test_page_is_self_contained(folder, report):
    page = (folder / "index.html").read_text()
    assert page.count("data:image/png;base64,") == len(report["figures"])
    assert not re.search(r'(src|href)="https?:', page)
    assert all(html.escape(figure["setting"]) in page for figure in report["figures"].values())


def test_monte_carlo_agrees_in_the_paper_figures(report):
    for name in ("fig2", "fig4"):
        assert report["figures"][name]["numbers"]["monte_carlo"]["agrees"]


def test_no_ecosystem_violates_lemma_1(report):
    numbers = report["figures"]["lemma1"]["numbers"]
    assert numbers["violations"] == 0
    assert numbers["smallest_slack"] > -1e-9
    assert numbers["largest_spectral_radius_outside"] > 1


def test_half_and_half_is_not_the_best(folder, report):
    numbers = report["figures"]["phase_diagram"]["numbers"]
    assert numbers["best_mean_efficiency"] > numbers["mean_efficiency_at_half"]
    values = [row["mean_relative_efficiency"] for row in rows(folder, "phase_diagram")]
    assert numbers["best_mean_efficiency"] >= max(values)
    np.testing.assert_allclose(max(values), numbers["best_mean_efficiency"], rtol=2e-3)  # on a fine grid


def test_real_data_says_what_its_table_says(folder, report):
    numbers = report["figures"]["real_data"]["numbers"]
    table = rows(folder, "real_data")
    ecosystem = load_ecosystem(folder / "real_data_ecosystem.npz")
    at_best = np.diag(mspe(limit(ecosystem, Weights(numbers["best_alpha"], numbers["best_beta"]))))
    alone = [r for r in table if np.isclose(r["beta"], numbers["best_beta_without_synthetic_data"])]
    own = {int(r["entity"]): r["mspe_without_synthetic_data"] for r in alone if r["entity"] == r["task"]}
    ratios = at_best / np.array([own[k + 1] for k in range(len(own))])
    np.testing.assert_allclose(np.exp(np.mean(np.log(ratios))), numbers["error_ratio"]["own task"])
    places = sorted({(r["alpha"], r["beta"]) for r in table})
    means = [np.mean([np.log(r["mspe"]) for r in table if (r["alpha"], r["beta"]) == place]) for place in places[::61]]
    everywhere = np.asarray(mspe(limit(ecosystem, Weights(numbers["best_alpha"], numbers["best_beta"]))))
    assert np.log(everywhere).mean() <= min(means)


# What follows holds tables against the theory, and pictures against tables.


def chosen(table, **values):
    """The rows with these values, in their order."""
    return [row for row in table if all(math.isclose(row[name], value) for name, value in values.items())]


def column(table, name) -> list[float]:
    return [row[name] for row in table]


def curve(panel, label: str):
    (line,) = [line for line in panel.lines if line.get_label() == label]
    return line


def image(panel) -> np.ndarray:
    return np.ma.filled(panel.collections[0].get_array(), np.nan)


def who(text: str) -> dict[str, int]:
    """{"entity": 2, "task": 1} of "entity 2 on task 1"."""
    return {name: int(number) for name, number in re.findall(r"(entity|task) (\d+)", text)}


@pytest.fixture(scope="module")
def at_weights():
    """ρ(Q), and relative efficiency of every entity in the limit; one program for all ecosystems of one size."""

    @jax.jit
    def measures(ecosystem, alpha, beta):
        law = limit(ecosystem, Weights(alpha, beta))
        return law.spectral_radius, relative_efficiency(law)

    return measures


@pytest.fixture(scope="module")
def drawn_ecosystem():
    """That of Figure 2 and of the phase diagram: K = 4, d = 15, private features of rank 5."""
    return random_gaussian(jax.random.split(jax.random.key(0))[0], 4, 15, 5)


def test_figure_2(folder, figures, report, at_weights, drawn_ecosystem):
    table, sampled = rows(folder, "fig2"), rows(folder, "fig2_monte_carlo")
    for row in table[::31]:
        exact = at_weights(drawn_ecosystem, row["alpha"], row["beta"])[1][int(row["entity"]) - 1]
        assert row["relative_efficiency"] == pytest.approx(float(exact), rel=1e-9)
    for row in chosen(sampled, alpha=0.2) + chosen(sampled, alpha=0.5):
        exact = at_weights(drawn_ecosystem, row["alpha"], row["beta"])[1][int(row["entity"]) - 1]
        assert abs(row["relative_efficiency"] - float(exact)) < 4 * row["standard_error"]
    errors = np.array([row["standard_error"] / row["relative_efficiency"] for row in sampled])
    assert (np.abs(errors * np.sqrt(300) - 1) < 0.9).all(), "‖e‖² has a standard deviation of the size of its mean"

    panels = figures["fig2"].axes
    assert [who(panel.get_title()) for panel in panels] == [{"entity": k} for k in (1, 2, 3, 4)]
    for panel in panels:
        for number, beta in enumerate((0.1, 0.5, 0.9)):
            at = who(panel.get_title()) | {"beta": beta}
            line = curve(panel, f"β = {beta}")
            np.testing.assert_allclose(line.get_xdata(), column(chosen(table, **at), "alpha"))
            np.testing.assert_allclose(line.get_ydata(), column(chosen(table, **at), "relative_efficiency"))
            marks, _, (bars,) = panel.containers[number].lines
            np.testing.assert_allclose(np.asarray(marks.get_xdata(), float), column(chosen(sampled, **at), "alpha"))
            np.testing.assert_allclose(marks.get_ydata(), column(chosen(sampled, **at), "relative_efficiency"))
            lengths = [np.ptp(bar[:, 1]) / 2 for bar in bars.get_segments()]
            np.testing.assert_allclose(lengths, 2 * np.array(column(chosen(sampled, **at), "standard_error")))

    means = {(row["alpha"], row["beta"]): 0.0 for row in table}
    for row in table:
        means[row["alpha"], row["beta"]] += row["relative_efficiency"] / 4
    alpha, beta = max(means, key=lambda pair: means[pair])
    assert all(said in report["figures"]["fig2"]["says"] for said in (f"β = {beta}", f"α = {alpha:.2f}"))
    numbers = report["figures"]["fig2"]["numbers"]
    assert (numbers["at_alpha"], numbers["at_beta"]) == pytest.approx((alpha, beta))


def test_figure_2_calibrated(folder, figures, at_weights):
    table, ecosystem = rows(folder, "fig2_calibrated"), load_ecosystem(folder / "fig2_calibrated_ecosystem.npz")
    for row in table[::31]:
        exact = at_weights(ecosystem, row["alpha"], row["beta"])[1][int(row["model"]) - 1]
        assert row["fitted"] == pytest.approx(float(exact), rel=1e-6)
        assert row["residual"] == pytest.approx(row["fitted"] - row["published"], abs=1e-12)
    for panel in figures["fig2_calibrated"].axes[:4]:
        for number, beta in enumerate((0.1, 0.5, 0.9)):
            part = chosen(table, beta=beta, model=who(panel.get_title())["entity"])
            marks = panel.containers[number].lines[0]
            np.testing.assert_allclose(marks.get_ydata(), column(part, "published"))
            line = curve(panel, f"β = {beta}")
            between = np.interp(column(part, "alpha"), line.get_xdata(), line.get_ydata())
            np.testing.assert_allclose(between, column(part, "fitted"), atol=0.01)


def test_figure_4(folder, figures, report):
    table = rows(folder, "fig4")
    ecosystem = random_gaussian(jax.random.split(jax.random.key(0))[0], 2, 50, 15)
    exact = jax.jit(lambda alpha, beta: trajectory(ecosystem, Weights(alpha, beta), 14, mspe))
    for alpha, beta in ((0.1, 0.9), (0.9, 0.5)):
        errors, part = np.asarray(exact(alpha, beta)), chosen(table, alpha=alpha, beta=beta)
        places = [(int(row["generation"]), int(row["entity"]) - 1, int(row["task"]) - 1) for row in part]
        assert sorted(places) == list(np.ndindex(15, 2, 2))
        np.testing.assert_allclose(column(part, "mspe_exact"), [errors[place] for place in places], rtol=1e-9)
        z = [(row["mspe_monte_carlo"] - row["mspe_exact"]) / row["mspe_standard_error"] for row in part]
        assert np.abs(z).max() < 5

    panels = np.reshape(figures["fig4"].axes, (3, 4))
    for row_of_panels in panels:
        (beta,) = re.findall(r"β = ([\d.]+)", row_of_panels[0].get_ylabel())
        for top, panel in zip(panels[0], row_of_panels, strict=True):
            for number, alpha in enumerate((0.1, 0.5, 0.9)):
                part = chosen(table, alpha=alpha, beta=float(beta), **who(top.get_title()))
                line = curve(panel, f"α = {alpha}")
                np.testing.assert_allclose(line.get_xdata(), column(part, "generation"))
                np.testing.assert_allclose(line.get_ydata(), column(part, "mspe_exact"))
                marks = panel.containers[number].lines[0]
                np.testing.assert_allclose(marks.get_ydata(), column(part, "mspe_monte_carlo"))

    foreign = [row for row in table if row["entity"] != row["task"]]
    means = {
        (alpha, t): np.mean(column(chosen(foreign, alpha=alpha, generation=t), "mspe_exact"))
        for alpha in (0.1, 0.9)
        for t in range(15)
    }
    numbers = report["figures"]["fig4"]["numbers"]
    assert numbers["first_drop_on_other_task_at_alpha_0.1"] == pytest.approx(1 - means[0.1, 1] / means[0.1, 0])
    lowest = min(means[0.9, t] for t in range(15))
    assert numbers["climb_on_other_task_at_alpha_0.9"] == pytest.approx(means[0.9, 14] / lowest)


def test_phase_diagram(folder, figures, report, at_weights, drawn_ecosystem):
    table = rows(folder, "phase_diagram")
    for row in table[::131]:
        radius, efficiency = at_weights(drawn_ecosystem, row["alpha"], row["beta"])
        assert row["spectral_radius"] == pytest.approx(float(radius), rel=1e-9)
        assert row["mean_relative_efficiency"] == pytest.approx(float(efficiency.mean()), rel=1e-9)

    panels, bars = figures["phase_diagram"].axes[:2], figures["phase_diagram"].axes[2:]
    named = {"spectral radius ρ(Q)": "spectral_radius", "mean relative efficiency": "mean_relative_efficiency"}
    alphas, betas = (sorted(set(column(table, name))) for name in ("alpha", "beta"))
    table.sort(key=lambda row: (row["beta"], row["alpha"]))
    for panel, bar in zip(panels, bars, strict=True):
        expected = np.reshape(column(table, named[bar.get_ylabel()]), (len(betas), len(alphas)))
        np.testing.assert_allclose(image(panel), expected)  # rows go up the vertical axis
        assert panel.get_xlabel().startswith("α")
        assert panel.get_ylabel().startswith("β")
    best = max(table, key=lambda row: row["mean_relative_efficiency"])
    numbers = report["figures"]["phase_diagram"]["numbers"]
    found = numbers["best_alpha"], numbers["best_beta"]
    assert found == pytest.approx((best["alpha"], best["beta"]), abs=0.03)
    star = curve(panels[1], "best constant weights")
    assert (*star.get_xdata(), *star.get_ydata()) == pytest.approx(found)
    said = report["figures"]["phase_diagram"]["says"]
    assert all(words in said for words in (f"α = {found[0]:.2f}", f"β = {found[1]:.2f}"))


def test_real_data_are_the_theory_of_the_saved_ecosystem(folder, figures, report):
    table, ecosystem = rows(folder, "real_data"), load_ecosystem(folder / "real_data_ecosystem.npz")
    error = jax.jit(lambda alpha, beta: mspe(limit(ecosystem, Weights(alpha, beta))))
    for row in table[::733]:
        place = int(row["entity"]) - 1, int(row["task"]) - 1
        assert row["mspe"] == pytest.approx(float(error(row["alpha"], row["beta"])[place]), rel=1e-9)
        alone = float(error(0.0, row["beta"])[place])
        assert row["mspe_without_synthetic_data"] == pytest.approx(alone, rel=1e-9)

    numbers = report["figures"]["real_data"]["numbers"]
    panels = [panel for panel in figures["real_data"].axes if panel.get_title()]
    assert len(panels) == 9
    for panel in panels:
        part = chosen(table, **who(panel.get_title()))
        part.sort(key=lambda row: (row["beta"], row["alpha"]))
        (alone,) = set(
            column(
                chosen(part, beta=numbers["best_beta_without_synthetic_data"]),
                "mspe_without_synthetic_data",
            )
        )
        np.testing.assert_allclose(image(panel).ravel(), np.log2(np.array(column(part, "mspe")) / alone), atol=1e-9)
        (star,) = panel.lines
        assert (*star.get_xdata(), *star.get_ydata()) == pytest.approx((numbers["best_alpha"], numbers["best_beta"]))


def test_lemma_1_picture_and_table(folder, figures):
    table = rows(folder, "lemma1")
    assert all(row["spectral_radius"] <= row["bound"] + 1e-9 <= 1 + 1e-9 for row in table)
    assert {row["entities"] for row in table} == {row["entities_outside"] for row in table} == set(range(2, 9))
    assert {row["dimension"] for row in table} == {row["dimension_outside"] for row in table} == set(range(2, 5))
    within, outside = figures["lemma1"].axes
    assert within.get_xlabel().startswith("1 - bound")
    assert within.get_ylabel().startswith("1 - ρ(Q)")
    x, y = within.lines[0].get_data()
    assert (np.asarray(y) >= np.asarray(x) - 1e-9).all()
    assert (np.asarray(y) > 1.1 * np.asarray(x)).any()
    for line in outside.lines:
        least, most = map(int, re.findall(r"\d+", line.get_label()))
        grown = [
            row["spectral_radius_outside"] - 1
            for row in table
            if row["kind_outside"] == 0 and least <= row["entities_outside"] <= most
        ]
        np.testing.assert_allclose(line.get_xdata(), sorted(grown), atol=1e-12)
        np.testing.assert_allclose(line.get_ydata(), 1 - np.arange(len(grown)) / len(grown))
