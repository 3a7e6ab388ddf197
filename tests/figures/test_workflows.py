"""Figures of workflows: their numbers are closed forms or direct calls of the theory, and their files hold them."""

import csv
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.figures.catalog import FIGURES
from crossfeed.figures.drawing import draw_all
from crossfeed.figures.report import write_figure
from crossfeed.figures.settings import changes_from_words, read_settings
from crossfeed.figures.workflows import (
    accumulation,
    curation,
    different_truths,
    one_and_many,
    under_training,
    universality,
)
from crossfeed.figures.workflows.table import table_of_panels
from crossfeed.sim.regression import KeepBest, Regression, fisher_ecosystem, simulate_regression
from crossfeed.theory import (
    Accumulate,
    Features,
    GradientSteps,
    Weights,
    Workflow,
    baselines,
    ecosystem_from_grams,
    limit,
    mean_error,
    mse,
    random_gaussian,
    symmetric,
    trajectory,
    transfer,
    worst_case,
)

pytestmark = pytest.mark.long

SEED = 3
SEEDED = [changes_from_words(["seed=3"])]
MODULES = (one_and_many, accumulation, different_truths, under_training, universality, curation)
SETTINGS: dict[str, Any] = {
    module.__name__.rpartition(".")[2]: read_settings(module.Settings, True, SEEDED[:seeded])
    for module, seeded in zip(MODULES, (1, 0, 0, 1, 1, 1), strict=True)
}
FALSE_ALARM_Z = 4.9  # 1e-6 two-sided; fewer than a hundred comparisons in this file


def rows(folder, table: str, panel: str) -> dict[str, np.ndarray]:
    """Columns of one panel's rows."""
    with (folder / f"{table}.csv").open() as file:
        found = [row for row in csv.DictReader(file) if row.pop("panel") == panel]
    return {name: np.array([row[name] if name == "judge" else float(row[name]) for row in found]) for name in found[0]}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The folder with all files, the reports, and the pictures."""
    folder, figures = tmp_path_factory.mktemp("workflows"), {}

    def keep(figure, path):
        figures[path.stem] = figure
        write_figure(figure, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossfeed.figures.report.write_figure", keep)
        chosen = {name: FIGURES[name] for name in SETTINGS}
        changes = [changes_from_words([f"seed={SEED}"])]
        reports = [one.report for one in draw_all(chosen, folder, True, changes)]
    return folder, {report.name: report for report in reports}, figures


def curve(panel, label: str) -> np.ndarray:
    (line,) = [line for line in panel.lines if line.get_label() == label]
    return np.asarray(line.get_ydata())


def test_a_table_of_panels_has_all_columns_of_all():
    table = table_of_panels({"a": {"x": [[1.0], [2.0]], "y": [3.0, 4.0]}, "b": {"x": 5.0, "z": [6.0]}})
    assert table["panel"].tolist() == ["a"] * 4 + ["b"]
    assert table["x"].tolist() == [1, 1, 2, 2, 5]
    np.testing.assert_array_equal(table["y"], [3, 4, 3, 4, np.nan])
    np.testing.assert_array_equal(table["z"], [np.nan] * 4 + [6])


def test_errors_of_one_and_many_have_their_closed_form(drawn):
    folder, reports, figures = drawn
    table = rows(folder, "one_and_many", "error")
    for size in SETTINGS["one_and_many"].sizes:
        found = table["mse"][table["entities"] == size]
        np.testing.assert_allclose(
            found, one_and_many.closed_error(size, np.arange(len(found)), SETTINGS["one_and_many"].alpha), rtol=1e-12
        )
        np.testing.assert_allclose(curve(figures["one_and_many"].axes[0], f"K = {size}"), found)
        # By the end the noise has settled up to α^(2T).
        settled = symmetric.relative_error(SETTINGS["one_and_many"].alpha, 1.0, size)
        assert found[-1] == pytest.approx(settled, rel=0.9 ** (2 * SETTINGS["one_and_many"].generations))
        assert reports["one_and_many"].numbers["last_error"][str(size)] == pytest.approx(found[-1])


def test_transfer_is_that_of_the_first_entities_alone(drawn):
    table = rows(drawn[0], "one_and_many", "transfer")
    whole = random_gaussian(jax.random.key(SEED), 50, SETTINGS["one_and_many"].dimension, SETTINGS["one_and_many"].rank)
    for size in (1, 4, 50):
        few = ecosystem_from_grams(whole.private.gram[:size], whole.public.gram, whole.synthetic.gram[:size])
        of_size = table["entities"] == size
        alpha, found = table["alpha"][of_size][7], table["transfer"][of_size][7]
        weights = np.asarray(transfer(limit(few, Weights(alpha, SETTINGS["one_and_many"].beta))))[:, :-1]
        assert found == pytest.approx((weights.sum() - np.trace(weights)) / size, abs=1e-12)
    assert not table["transfer"][table["entities"] == 1].any(where=abs(table["transfer"][:12]) > 1e-12)


def test_only_several_models_are_unstable(drawn):
    worst, random = (rows(drawn[0], "one_and_many", panel) for panel in ("worst_case", "random"))
    bound = (1 + np.sqrt(worst["entities"])) / 2
    closed = 1 + worst["strength"] / (1 + worst["strength"]) * (bound - 1)
    np.testing.assert_allclose(worst["spectral_radius"], closed, rtol=1e-9)
    random_bound = (1 + np.sqrt(random["entities"])) / 2
    assert (random["spectral_radius"] <= random_bound + 1e-9).all()
    assert random["spectral_radius"][0] <= 1 < random["spectral_radius"][1:].min()


def test_accumulation_and_replacement_have_their_closed_forms(drawn):
    folder, reports, figures = drawn
    for shares in SETTINGS["accumulation"].equal:
        for memory, closed in (
            ("accumulate", baselines.pool_accumulate_shares(shares, SETTINGS["accumulation"].generations)[:, 0]),
            ("replace", baselines.pool_recursion_shares(shares, SETTINGS["accumulation"].generations - 1)),
        ):
            table = rows(folder, "accumulation", f"equal shares, {memory}")
            found = table["mse"][table["entities"] == len(shares)]
            np.testing.assert_allclose(found, closed, rtol=1e-12)
            if memory == "accumulate":
                np.testing.assert_allclose(curve(figures["accumulation"].axes[0], f"K = {len(shares)}"), found)
    for number, shares in enumerate(SETTINGS["accumulation"].shares):
        table = rows(folder, "accumulation", f"shares {shares}")
        closed = baselines.pool_accumulate_shares(shares, SETTINGS["accumulation"].generations)
        for entity in range(2):
            of_entity = table["share"] == shares[entity]
            np.testing.assert_allclose(table["mse"][of_entity], closed[:, entity], rtol=1e-12, err_msg=str(number))
    numbers = reports["accumulation"].numbers
    assert numbers["limit"] == pytest.approx(np.pi**2 / 24)
    assert numbers["dip"] < 0.394 < numbers["limit"]
    assert "at generation 7:" in reports["accumulation"].says


def test_growth_is_exponential_or_bounded(drawn):
    table = rows(drawn[0], "accumulation", "growth, accumulate")
    bound = [baselines.pool_accumulate_amplification(SETTINGS["accumulation"].rank, ratio) for ratio in table["ratio"]]
    assert (table["amplification"] <= np.array(bound)).all()
    last = table["generation"] == SETTINGS["accumulation"].generations
    assert table["amplification"][last][0] == pytest.approx(bound[0], rel=0.03)  # at λ = 10 it is nearly reached
    step = np.arange(2.0, SETTINGS["accumulation"].generations + 1)
    product = np.prod(1 + 0.5 * 1000 / (step * (step - 1 + 1000)))
    assert table["amplification"][last][-1] == pytest.approx(product, rel=1e-12)
    table = rows(drawn[0], "accumulation", "growth, replace")
    radius = 1 + 0.5 * table["ratio"] / (1 + table["ratio"])
    np.testing.assert_allclose(table["amplification"], radius ** (table["generation"] - 1), rtol=1e-10)


def test_the_price_of_homogenization(drawn):
    folder, reports, _ = drawn
    table = rows(folder, "different_truths", "price")
    share, away = 1 / SETTINGS["different_truths"].entities, table["alpha"] * table["distance"]
    noise = share + (1 - table["alpha"]) ** 2 * (1 - share) + share * table["alpha"] ** 2 / (1 - table["alpha"] ** 2)
    np.testing.assert_allclose(table["mse"], noise + away**2, rtol=1e-12)
    np.testing.assert_allclose(table["closed_form"], table["mse"], rtol=1e-12)
    for alpha, farthest in reports["different_truths"].numbers["sharing_pays_up_to"].items():
        of_alpha = table["alpha"] == float(alpha)
        better = table["mse"][of_alpha] < 1  # the error of an entity alone
        assert farthest == table["distance"][of_alpha][better].max() < table["distance"].max()


def test_the_best_weight_minimizes_the_closed_form(drawn):
    table = rows(drawn[0], "different_truths", "best weight")
    grid = np.linspace(0, 0.98, 981)
    for size in SETTINGS["different_truths"].sizes:
        plain = np.array([symmetric.relative_error(alpha, 1.0, size) for alpha in grid.tolist()])
        of_size = table["entities"] == size
        for distance, best in zip(table["distance"][of_size], table["best_alpha"][of_size], strict=True):
            assert best == pytest.approx(grid[np.argmin(plain + (grid * distance) ** 2)], abs=0.00051)


def test_limit_means_leave_the_hull(drawn):
    folder, reports, figures = drawn
    table = rows(folder, "different_truths", "means")
    for size in (3.0, 0.4392):
        law = limit(different_truths.anchored(size, 1000.0), Weights(0.5, 0.5))
        of_size = table["public_size"] == size
        found = np.stack([table["mean_1"][of_size], table["mean_2"][of_size]], axis=1)
        np.testing.assert_allclose(found, mean_error(law), rtol=1e-9)
        assert law.spectral_radius is not None
        np.testing.assert_allclose(table["spectral_radius"][of_size], float(law.spectral_radius))
    last = np.array(reports["different_truths"].numbers["limit_means"])
    np.testing.assert_array_equal(np.round(last), [[47, 18], [18, 47]])
    panel = figures["different_truths"].axes[2]
    np.testing.assert_allclose(curve(panel, "mean of entity 1")[-1], last[0, 1])


def recursion(case: under_training.Case, steps: int) -> np.ndarray:
    """The recursion of all estimates, by gradient steps written out."""
    ecosystem, identity = case.ecosystem, np.eye(3)
    synthetic = np.asarray(ecosystem.synthetic.gram)
    real = case.beta * np.asarray(ecosystem.private.gram) + (1 - case.beta) * np.asarray(ecosystem.public.gram)
    blocks = np.zeros((3, 3, 3, 3))
    for reader in range(3):
        gram = (1 - case.alpha) * real[reader] + case.alpha * synthetic.mean(0)
        own, heard = identity, np.zeros((3, 3))
        for _ in range(steps):
            own, heard = own - case.rate * gram @ own, heard - case.rate * gram @ heard + case.rate * identity
        for writer in range(3):
            blocks[reader, :, writer] = case.alpha / 3 * heard @ synthetic[writer] + (reader == writer) * own
    return blocks.reshape(9, 9)


def test_few_steps_destabilize_through_a_complex_pair(drawn):
    table = rows(drawn[0], "under_training", "misaligned")
    case = under_training.cases(SETTINGS["under_training"])[0]
    for steps, found in zip(table["steps"][:-1], table["spectral_radius"], strict=False):
        values = np.linalg.eigvals(recursion(case, int(steps)))
        leading = values[np.argmax(abs(values))]
        assert found == pytest.approx(abs(leading), rel=1e-9)
        if steps <= 5:
            assert found > 1.02
            assert abs(leading.imag) > 0.01
    assert table["spectral_radius"][-1] == pytest.approx(0.9631409586)
    assert np.isinf(table["mse"][:3]).all()
    assert np.isfinite(table["mse"][-1])


def test_what_diverges_does_so_after_few_steps_too(drawn):
    radius = rows(drawn[0], "under_training", "worst case")["spectral_radius"]
    assert (np.diff(radius) > 0).all()
    assert radius[0] > 1
    assert radius[-1] == pytest.approx(1 + 10 / 11 * (np.sqrt(3) - 1) / 2)


def test_errors_and_transfer_after_few_steps(drawn):
    folder, reports, figures = drawn
    case = under_training.cases(SETTINGS["under_training"])[-1]
    table = rows(folder, "under_training", case.name)
    law = limit(case.ecosystem, Weights(case.alpha, case.beta), Workflow(GradientSteps(5, case.rate)))
    (found,) = table["mse"][table["steps"] == 5]
    assert found == pytest.approx(float(mse(law).mean()), rel=1e-9)
    table = rows(folder, "under_training", "transfer")
    np.testing.assert_allclose(table["transfer_in_limit"], table["transfer_in_limit"][0])  # whatever the steps
    for steps in SETTINGS["under_training"].shown:
        path = table["transfer"][table["steps"] == steps]
        label = f"{steps} step{'s' if steps > 1 else ''}"
        np.testing.assert_allclose(curve(figures["under_training"].axes[2], label), path)
        share = path[2] / table["transfer_in_limit"][0]
        assert reports["under_training"].numbers["transfer_after_2"][str(steps)] == pytest.approx(share)
        assert path[0] == pytest.approx(0, abs=1e-12)


def test_the_worst_case_does_not_depend_on_the_seed():
    first, second = (
        under_training.cases(replace(SETTINGS["under_training"], seed=seed))[1].ecosystem for seed in (0, 1)
    )
    np.testing.assert_array_equal(first.private.gram, second.private.gram)
    np.testing.assert_array_equal(first.private.gram, worst_case(3, jnp.array(10.0)).private.gram)


@pytest.mark.parametrize("name", universality.CASES)
def test_the_excess_over_the_linear_theory_is_that_of_a_simulation_row_by_row(drawn, name):
    """The figure draws sums of labels at equal inputs, and subtracts linear estimates; here is neither."""
    table = rows(drawn[0], "universality", f"excess, {name}")
    settings = SETTINGS["universality"]
    labels, truth = universality.CASES[name], jnp.array(settings.truths[name])
    few = universality.inputs(settings)
    times = SETTINGS["universality"].rows[0] // SETTINGS["universality"].inputs
    features = Features(*(np.repeat(part, times, axis=-2) for part in (few.private, few.public, few.synthetic)))
    regression = Regression(features, truth, labels=labels)
    found = simulate_regression(
        regression,
        SETTINGS["universality"].weights,
        1,
        4000,
        jax.random.key(1),
        lambda e: ((e - truth[None]) ** 2).sum(1).mean(),
    )
    exact = float(
        trajectory(fisher_ecosystem(features, labels, truth), SETTINGS["universality"].weights, 1, mse)[1].mean()
    )
    excess, error = float(found.measured[1]) / exact - 1, float(found.measured_se[1]) / exact
    (at,) = np.flatnonzero((table["n"] == SETTINGS["universality"].rows[0]) & (table["generation"] == 1))
    difference = table["relative_excess"][at] - excess
    assert abs(difference) < FALSE_ALARM_Z * np.hypot(error, table["standard_error"][at])
    assert table["standard_error"][at] < 0.7 * error * np.sqrt(4000 / 1000), "the linear estimates take away noise"


def test_the_linear_theory_becomes_exact_like_one_over_n(drawn):
    exponents = drawn[1]["universality"].numbers["exponents"]
    assert len(exponents) == 4
    for name, (exponent, error) in exponents.items():
        if name.startswith("logistic"):
            assert -1.6 < exponent < -0.6
        assert abs(exponent + 1) < 3 * error + 0.1, name


def test_a_power_is_fitted_by_the_weight_of_its_points():
    n = np.array([10.0, 20.0, 40.0, 80.0])
    values, errors = 3 * n**-1.5, np.array([1e-4, 1e-4, 1e-4, 1.0])
    fit = universality.fit_power(n, values + np.array([0, 0, 0, 0.5]), errors)
    assert (fit.exponent, fit.size) == (pytest.approx(-1.5, abs=1e-4), pytest.approx(3, abs=1e-3))
    # Of a weighted regression of log values on log n, whose weights are the squared ratios of values and errors.
    weight, place = (values / errors) ** 2, np.log(n)
    around = (weight * (place - np.average(place, weights=weight)) ** 2).sum()
    assert fit.error == pytest.approx(around**-0.5, rel=1e-3)
    curved = universality.fit_power(n, values * (1 + 5 / n), errors)
    assert curved.error > 2 * fit.error, "what is no power makes the exponent uncertain"
    assert np.isnan(universality.fit_power(n, values, np.ones(4)).exponent)


def test_published_errors_stand_beside_the_linear_theory(drawn):
    for name, wanted in (("linear", 0.01333), ("logistic", 0.1031), ("Poisson", 0.00327)):
        table = rows(drawn[0], "universality", f"published, {name}")
        assert table["linear_theory"][0] == pytest.approx(wanted, rel=2e-3)
        ratio = drawn[1]["universality"].numbers["published_over_linear"][name]
        assert ratio == pytest.approx(table["mse"][0] / table["linear_theory"][0])


def test_counts_die_out_where_the_linear_theory_lets_them_live(drawn):
    table = rows(drawn[0], "universality", "survival")
    wanted = np.asarray(baselines.poisson_survival(10.0, 50))
    np.testing.assert_allclose(table["closed_form"], wanted)
    error = np.sqrt(np.maximum(wanted * (1 - wanted), 2e-3) / 500)
    assert (abs(table["survival"] - wanted) < FALSE_ALARM_Z * error).all()
    np.testing.assert_allclose(curve(drawn[2]["universality"].axes[2], "linear theory: none dies out"), 1)


def test_curation_is_simulated_as_by_a_direct_call(drawn):
    table = rows(drawn[0], "curation", "accumulate")
    regression = Regression(
        curation.inputs(SETTINGS["curation"]),
        jnp.array(SETTINGS["curation"].truth),
        curation=KeepBest(SETTINGS["curation"].fraction, "reader"),
        memory=Accumulate(),
    )
    weights = Weights(SETTINGS["curation"].alpha, SETTINGS["curation"].beta)
    found = simulate_regression(
        regression, weights, SETTINGS["curation"].generations, 300, jax.random.key(SEED), lambda e: e
    )
    of_reader = table["judge"] == "reader"
    np.testing.assert_allclose(table["mse"][of_reader], found.mse.mean(1), rtol=1e-9)
    variance = 300 * (np.asarray(found.measured_se) ** 2).sum(-1).mean(1)
    np.testing.assert_allclose(table["spread"][of_reader], variance, rtol=1e-9)
    lines = [np.asarray(line.get_ydata()) for line in drawn[2]["curation"].axes[1].lines]
    assert any(len(line) == of_reader.sum() and np.allclose(line, table["mse"][of_reader]) for line in lines)


def test_selection_drifts_and_narrows_also_if_pools_accumulate(drawn):
    last = {}
    for memory in curation.MEMORIES:
        table = rows(drawn[0], "curation", memory)
        np.testing.assert_allclose(table["squared_bias"] + table["spread"], table["mse"], rtol=1e-9)
        at = table["generation"] == SETTINGS["curation"].generations
        for judge in curation.JUDGES:
            (place,) = np.flatnonzero(at & (table["judge"] == judge))
            last[memory, judge] = {name: values[place] for name, values in table.items()}
        no_pull = table["judge"] != "point"
        assert (abs(table["squared_bias"]) < 0.05 * table["mse"].max())[no_pull].all()
    kept, replaced = ({judge: last[memory, judge] for judge in curation.JUDGES} for memory in ("accumulate", "replace"))
    assert kept["point"]["squared_bias"] > 1.05 * replaced["point"]["squared_bias"] > 1
    assert kept["point"]["spread"] < 0.05 * kept["none"]["spread"]
    assert kept["oracle"]["mse"] < 0.2 * replaced["oracle"]["mse"] < 0.2 * kept["none"]["mse"]
    assert abs(kept["reader"]["mse"] - kept["none"]["mse"]) > FALSE_ALARM_Z * kept["none"]["standard_error"]
    assert kept["none"]["kept_label_variance"] == pytest.approx(1)
    assert kept["reader"]["kept_label_variance"] < 0.3
    assert replaced["none"]["mse"] > 1.5 * kept["none"]["mse"]


def test_a_simulated_figure_says_so(drawn):
    assert drawn[1]["curation"].setting.startswith("Simulated: this regime has no exact law")
