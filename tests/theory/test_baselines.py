"""Known laws: printed numbers, the workflows themselves, limits, special cases and refusals."""

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crossfeed.theory import baselines
from crossfeed.theory.baselines import LAWS, Parameter
from hypothesis import given
from hypothesis import strategies as st

from crossfeed.errors import InvalidInput

DOCS = (Path(__file__).parents[2] / "docs" / "baselines.md").read_text(encoding="utf-8")

DOHMATOB: dict[str, Any] = {
    "features": 300,
    "rows": 1000,
    "synthetic_rows": 600,
    "generations": 10,
    "noise_variance": 0.01,
    "synthetic_noise_variance": 0.04,
}
FACTOR: dict[str, Any] = {"features": 1, "rows": 3, "generations": 100}  # σ²d/(T-d-1) is 1

PRINTED: list[tuple[str, dict[str, Any], dict[int, str]]] = [
    # law, arguments, and printed numbers by position; a law with one number has it at 0
    ("replace", FACTOR, {0: "1", 1: "2", 99: "100"}),
    ("accumulate", FACTOR, {1: "1.25", 2: "1.361111", 4: "1.463611", 9: "1.549768", 99: "1.634984"}),
    ("replace-growing", FACTOR, {0: "1", 1: "1.5", 3: "2.083333"}),
    ("replace-two-sizes", DOHMATOB, {0: ".004292", 1: ".044426", 3: ".124693", 10: ".405630"}),
    ("replace-ridge", DOHMATOB | {"penalty": 0.1}, {0: ".021678", 1: ".052853", 3: ".115203", 10: ".333430"}),
    ("replace-overparameterized", {"features": 4, "rows": 2, "generations": 3}, {0: ".5", 1: ".75", 2: ".875"}),
    (
        "subsample",
        {"entities": 1, "generations": 60},
        {1: "1.75", 2: "2.083333", 4: "2.390833", 9: "2.649303", 59: "2.885217"},
    ),
    *(
        ("subsample-limit", {"entities": K}, {0: number})
        for K, number in ((1, "2.934802"), (2, "1.993668"), (3, "1.668282"), (4, "1.503400"))
    ),
    *(
        # c = K and ν = 1/K, in units of V/K
        (
            "pool-accumulate-limit",
            {"entities": 1, "private_weight": 1.0, "pool_weight": float(K), "pool_noise": 1.0},
            {0: number},
        )
        for K, number in ((1, "1.6449"), (2, "1.9348"), (3, "2.0956"))
    ),
    (
        "pool-accumulate-shares",
        {"shares": [1 / 2] * 2, "generations": 10},
        {1: ".75", 2: ".736111", 4: ".751806", 9: ".779884"},
    ),
    (
        "pool-accumulate-shares",
        {"shares": [1 / 4] * 4, "generations": 10},
        {1: ".5", 2: ".423611", 4: ".395903", 9: ".394942"},
    ),
    ("pool-accumulate-shares-limit", {"shares": [1 / 2] * 2}, {0: ".822467"}),
    ("pool-accumulate-shares-limit", {"shares": [1 / 4] * 4}, {0: ".411234"}),
    ("pool-accumulate-amplification", {"rank": 4, "ratio": 10.0}, {0: "2.7962"}),
    ("pool-accumulate-amplification", {"rank": 4, "ratio": 1000.0}, {0: "23.90"}),
    (
        "accumulate-mixed",
        {"weight": 0.5, "generations": 100},
        {1: ".8125", 2: ".675347", 4: ".509446", 9: ".326258", 99: ".056109"},
    ),
    (
        "accumulate-mixed",
        {"weight": 0.9, "generations": 100},
        {1: "1.1525", 2: "1.188058", 4: "1.184699", 9: "1.121657", 99: ".776972"},
    ),
    *(
        ("hidden-data-limit", {"fraction": alpha, "rows": 100}, {0: number})
        for alpha, number in ((0.1, "5.047956"), (0.5, "1.328904"), (0.9, "1.009999"))
    ),
    *(
        ("fresh-data-best-weight", {"ratio": k}, {0: number})
        for k, number in ((1.0, ".618034"), (0.2, ".358258"), (2.0, ".732051"))
    ),
    *(
        (
            "fresh-data-regression-limit",
            {"model": model, "features": 2, "rows": 100, "weight": w, "coefficient_norm": 2**0.5},
            {0: number},
        )
        for model, w, number in (
            ("linear", 0.5, ".01333"),
            ("linear", 0.62, ".01236"),
            ("logistic", 0.5, ".1031"),
            ("logistic", 0.62, ".0956"),
            ("poisson", 0.5, ".00327"),
            ("poisson", 0.62, ".00303"),
        )
    ),
    *(
        ("federation-uniform", {"sizes": sizes, "noise_variance": 10.0}, {0: number})
        for sizes, number in (
            ([5], "2"),
            ([5, 5], "1.5"),
            ([5, 5, 5], "1.333333"),
            ([25], ".4"),
            ([25, 25], ".7"),
            ([25, 25, 25], ".8"),
        )
    ),
    ("federation-best-weight", {"sizes": [30, 300], "noise_variance": 10.0}, {0: ".845070"}),
    (
        "poisson-survival",
        {"expected_count": 10.0, "generations": 400},
        {1: ".998202", 4: ".955878", 9: ".821389", 49: ".318710", 399: ".048440"},
    ),
    (
        "gaussian-accumulate",
        {"rows": 10, "generations": 10},
        {0: ".9", 1: ".8775", 4: ".858877", 9: ".851502"},
    ),
    ("gaussian-accumulate-limit", {"rows": 10}, {0: ".843436"}),
    ("gaussian-replace", {"degrees_of_freedom": 10, "generations": 10}, {9: "5.191736"}),
    ("gaussian-replace", {"degrees_of_freedom": 100, "generations": 50}, {49: "1.691588"}),
    ("gaussian-mean-beats-first", {"generations": 4}, {1: ".352416", 2: ".304087", 3: ".272814"}),
    ("pool-recursion-shares", {"shares": [0.9, 0.1], "generations": 3}, {0: "1", 1: "1.64", 2: "2.46", 3: "3.28"}),
]


def agrees(value: float, printed: str) -> bool:
    """Whether a number rounds to the printed one, in its digits."""
    digits = len(printed.partition(".")[2])
    return abs(value - float(printed)) <= 0.5 * 10**-digits * (1 + 1e-6)


@pytest.mark.parametrize(("name", "arguments", "printed"), PRINTED)
def test_numbers_are_those_printed(name, arguments, printed):
    values = LAWS[name].function(**arguments)
    flat = np.reshape(values, (len(np.atleast_1d(values)), -1))[:, 0]
    for position, number in printed.items():
        assert agrees(float(flat[position]), number), (position, flat[position])


def test_coarse_federation_with_the_best_weights():
    for sizes, printed in (
        ([30, 300], [".286385", ".0328638"]),
        ([30, 30], [".291667", ".291667"]),
        ([30, 30, 30, 300], [".279642", ".279642", ".279642", ".0325815"]),
    ):
        weights = baselines.federation_best_weight(sizes, 10.0)
        errors = baselines.federation_coarse(sizes, tuple(weights), 10.0)
        assert all(map(agrees, errors, printed))


# Laws from the workflow itself: every estimate as a vector of coefficients on independent noises of variance V.


class Noises:
    """Independent noises, each a unit vector."""

    def __init__(self, most: int):
        self._unit = iter(np.eye(most))

    def draw(self, variance: float = 1.0) -> np.ndarray:
        return math.sqrt(variance) * next(self._unit)


@pytest.mark.parametrize("entities", [1, 2, 3])
@pytest.mark.parametrize(("p", "c", "noise"), [(1.0, 1.0, 0.5), (0.7, 2.5, 0.4), (0.2, 0.3, 0.0)])
def test_accumulating_pools_from_the_workflow(entities, p, c, noise):
    drawn = Noises(40)
    public = drawn.draw()
    real = [p * drawn.draw() + (1 - p) * public for _ in range(entities)]
    pools, errors = np.zeros(40), []
    for g in range(1, 9):
        estimates = [(r + c * pools) / (1 + c * (g - 1)) for r in real]
        errors.append(np.sum(estimates[0] ** 2))
        pools = pools + np.mean(estimates, 0) + drawn.draw(noise)
    np.testing.assert_allclose(baselines.pool_accumulate(entities, p, c, noise, 8), errors, rtol=1e-12)


def test_unequal_shares_from_the_workflow():
    shares, drawn = np.array([0.6, 0.3, 0.1]), Noises(60)
    real = np.array([drawn.draw() for _ in shares])
    pools, accumulated, alone, replaced = np.zeros(60), [], [], real
    for t in range(1, 9):
        estimates = (real + pools) / t
        accumulated.append(np.sum(estimates**2, 1))
        pools = pools + shares @ estimates + drawn.draw(np.sum(shares**2))
        alone.append(np.sum(replaced**2, 1))
        replaced = np.array([shares @ replaced + drawn.draw(np.sum(shares**2))] * 3)
    np.testing.assert_allclose(baselines.pool_accumulate_shares(tuple(shares), 8), accumulated, rtol=1e-12)
    np.testing.assert_allclose(np.array(alone), np.tile(baselines.pool_recursion_shares(tuple(shares), 7), (3, 1)).T)


@pytest.mark.parametrize("entities", [1, 2, 3])
def test_subsampling_from_the_workflow(entities):
    drawn = Noises(100)
    estimates = [drawn.draw() for _ in range(entities)]
    pool, ratios = np.mean(estimates, 0), [1.0]
    for g in range(2, 9):
        labels = [estimate + drawn.draw() for estimate in estimates]
        pool = ((g - 1) * pool + np.mean(labels, 0)) / g
        estimates = [pool + drawn.draw(1 - 1 / (g * entities)) for _ in range(entities)]
        ratios.append(np.sum(estimates[0] ** 2))
    np.testing.assert_allclose(baselines.subsample(entities, 8), ratios, rtol=1e-12)


def test_poisson_counts_are_a_markov_chain():
    counts = np.arange(250)
    logs = np.array([math.lgamma(n + 1) for n in counts])

    def poisson(mean: float) -> np.ndarray:
        return np.exp(counts * math.log(mean) - mean - logs)

    step = np.array([np.eye(250)[0], *(poisson(float(m)) for m in counts[1:])])
    state, survival = poisson(6.0), []
    for _ in range(5):
        survival.append(1 - state[0])
        state = state @ step
    np.testing.assert_allclose(baselines.poisson_survival(6.0, 5), survival, rtol=1e-9)


def test_later_means_beat_the_first_as_often_as_in_simulation():
    rng = np.random.default_rng(0)  # fixed; the standard error is 5e-4, a tenth of the smallest difference below
    replicates = 10**6
    first = rng.standard_normal(replicates)
    later = first.copy()
    for chance in baselines.gaussian_mean_beats_first(4, 2.0)[1:]:
        later += rng.standard_normal(replicates) / math.sqrt(2.0)
        frequency = np.mean(np.abs(later) < np.abs(first))
        assert abs(frequency - chance) < 4 * math.sqrt(chance * (1 - chance) / replicates)


def test_logistic_information_by_gauss_hermite():
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    for norm in (0.0, 0.5, 2.0):
        variance = 1 / (2 + 2 * np.cosh(norm * nodes))
        across, along = (np.sum(weights * variance * f) / np.sum(weights) for f in (1.0, nodes**2))
        law = baselines.fresh_data_regression_limit("logistic", 5, 200, 1.0, 1.0, norm)
        assert law == pytest.approx((4 / across + 1 / along) / 200, rel=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 5, 30])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0, 7.0, 40.0])
def test_amplification_is_the_product_over_generations(rank, ratio):
    j, s = np.arange(1.0, 10**6), (math.sqrt(rank) - 1) / 2
    product = np.exp(np.sum(np.log1p(s * ratio / ((j + 1) * (j + ratio)))))
    assert baselines.pool_accumulate_amplification(rank, ratio) == pytest.approx(product, rel=3e-4)


# Limits and special cases.

sizes = st.integers(1, 50)
fractions = st.floats(0, 1)


@given(features=sizes, extra=st.integers(1, 100), pool_rows=st.integers(1, 500), entities=sizes, p=fractions)
def test_late_generations_approach_the_limits(features, extra, pool_rows, entities, p):
    rows, late, c = features + 1 + extra, 20_000, pool_rows / 100
    shares = tuple(np.arange(1.0, entities + 1) / np.sum(np.arange(1.0, entities + 1)))
    for last, limit in (
        (baselines.accumulate(features, rows, late)[-1], baselines.accumulate_limit(features, rows)),
        (baselines.accumulate_fresh(features, rows, late)[-1], baselines.accumulate_fresh_limit(features, rows)),
        (
            baselines.pool_accumulate_fresh(features, rows, pool_rows, late)[-1],
            baselines.pool_accumulate_fresh_limit(features, rows, pool_rows),
        ),
        (
            baselines.pool_accumulate(entities, p, c, 1 / c, late)[-1],
            baselines.pool_accumulate_limit(entities, p, c, 1 / c),
        ),
        (baselines.subsample(entities, late)[-1], baselines.subsample_limit(entities)),
        (baselines.gaussian_accumulate(rows, late)[-1], baselines.gaussian_accumulate_limit(rows)),
    ):
        assert last == pytest.approx(limit, rel=0.02)
    np.testing.assert_allclose(
        baselines.pool_accumulate_shares(shares, late)[-1], baselines.pool_accumulate_shares_limit(shares), rtol=0.02
    )
    assert baselines.hidden_data(0.1, [rows] * 300)[-1] == pytest.approx(baselines.hidden_data_limit(0.1, rows))


@given(features=sizes, extra=st.integers(1, 100), entities=sizes)
def test_laws_of_several_models_contain_those_of_one(features, extra, entities):
    rows = features + 1 + extra
    unit = features / (rows - features - 1)
    one = baselines.accumulate(features, rows, 30)
    np.testing.assert_allclose(unit * baselines.pool_accumulate(1, 1.0, 1.0, 1.0, 30), one, rtol=1e-12)
    np.testing.assert_allclose(unit * baselines.pool_accumulate_shares([1.0], 30)[:, 0], one, rtol=1e-12)
    np.testing.assert_allclose(
        baselines.pool_accumulate_fresh(features, rows, rows, 30), baselines.accumulate_fresh(features, rows, 30)
    )
    np.testing.assert_allclose(
        baselines.pool_accumulate_shares([1 / entities] * entities, 30)[:, 0],
        baselines.pool_accumulate(entities, 1.0, 1.0, 1 / entities, 30),
    )
    np.testing.assert_allclose(
        unit * baselines.pool_recursion_shares([1.0], 29), baselines.replace(features, rows, 30), rtol=1e-12
    )
    np.testing.assert_allclose(
        baselines.replace_two_sizes(features, rows, rows, 29), baselines.replace(features, rows, 30), rtol=1e-12
    )
    assert baselines.accumulate_mixed(1.0, 30) == pytest.approx(one / unit)
    np.testing.assert_allclose(baselines.accumulate_mixed(0.0, 30), 1 / np.arange(1, 31))


def test_hidden_data_in_generations_of_unequal_size():
    second = 100 / 50 + 49 / 50 * 0.25
    third = 100 / 200 + 199 / 200 * 0.25 * second
    np.testing.assert_allclose(baselines.hidden_data(0.5, [100, 50, 200]), [1.0, second, third], rtol=1e-14)


@given(k=st.floats(1e-3, 1e3), w=st.floats(0.01, 1))
def test_the_best_weight_on_fresh_data_is_best(k, w):
    best = baselines.fresh_data_best_weight(k)
    assert baselines.fresh_data_limit(best, k) == pytest.approx(best)
    assert baselines.fresh_data_limit(w, k) >= best * (1 - 1e-9)


@given(n=st.lists(st.integers(1, 1000), min_size=2, max_size=5), spread=st.floats(1e-3, 1e3), w=fractions)
def test_the_best_weight_in_a_coalition_is_best(n, spread, w):
    best = baselines.federation_coarse(n, tuple(baselines.federation_best_weight(n, 1.0, spread)), 1.0, spread)
    assert np.all(best <= baselines.federation_coarse(n, [w], 1.0, spread) * (1 + 1e-9))
    np.testing.assert_allclose(
        baselines.federation_coarse(n, [0.0], 1.0, spread), baselines.federation_uniform(n, 1.0, spread)
    )
    np.testing.assert_allclose(baselines.federation_coarse(n, [1.0], 1.0, spread), 1 / np.array(n))


def test_ridge_without_penalty_is_least_squares_up_to_one_row():
    exact = baselines.replace_two_sizes(**DOHMATOB)
    ridge = baselines.replace_ridge(**DOHMATOB, penalty=1e-12)
    gap = 1 - ridge / exact
    assert np.all((gap > 1 / 1000) & (gap < 1 / 290))  # T - d and T_0 - d for T - d - 1 and T_0 - d - 1


def test_homogenization_costs_what_is_not_ones_own():
    # E θ̂_k = āb θ_k + ab θ̄ + b̄ θ̄ for α = 1/4, β = 1/2 and the truths -1 and 1
    np.testing.assert_allclose(baselines.homogenization_price(0.25, 0.5, [1.0, 1.0]), (1 - 0.375) ** 2)


# Ranges.


def valid_arguments(parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    """Arguments that every law accepts: each count is large enough for the one before."""
    values: dict[str, Any] = {
        "features": 3,
        "rows": 6,
        "synthetic_rows": 7,
        "generations": 4,
        "shares": [0.5, 0.5],
        "sizes": [2, 3],
        "weights": [0.5],
        "squared_distances": [1.0],
        "model": "logistic",
    }
    return {p.name: values.get(p.name, 1 if p.type is int else 0.5) for p in parameters if p.required}


@pytest.mark.parametrize("name", LAWS)
def test_every_parameter_is_refused_outside_its_range(name):
    law = LAWS[name]
    valid = valid_arguments(law.parameters)
    if name == "replace-overparameterized":
        valid["rows"] = 2
    if name == "hidden-data":
        valid["rows"] = [2, 2]
    law.function(**valid)
    for parameter in law.parameters:
        several = isinstance(valid.get(parameter.name), list)
        outside = [-1, -0.5, math.nan, "many", True, None, 10**400, 1e200]
        if parameter.interval is not None and parameter.interval.most == 1:
            outside.append(1.5)
        if parameter.interval is not None and parameter.interval.open:
            outside.append(0)
        for value in outside:
            with pytest.raises(InvalidInput, match=parameter.name) as refused:
                law.function(**valid | {parameter.name: [value] if several else value})
            said, _, rest = str(refused.value).partition("…")  # long messages are shortened
            assert str(value) in said or (rest and str(value)[:50] in said)
        if several:
            with pytest.raises(InvalidInput, match=f"{parameter.name} is empty"):
                law.function(**valid | {parameter.name: []})


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        *(
            (name, {"rows": 4}, ["rows is 4", "at least 5"])
            for name in LAWS
            if {"features", "rows"} <= set(inspect.signature(LAWS[name].function).parameters)
            and not name.startswith(("replace-overparameterized", "replace-ridge", "fresh-data"))
        ),
        ("replace-two-sizes", {"synthetic_rows": 4}, ["synthetic_rows is 4", "at least 5"]),
        ("replace-ridge", {"synthetic_rows": 3}, ["synthetic_rows is 3", "above 3"]),
        ("replace-overparameterized", {"rows": 4}, ["rows is 4", "at most 3"]),
        ("replace", {"generations": 2.5}, ["generations is 2.5", "whole number"]),
        ("replace", {"generations": 10**7}, ["generations is 10000000", "1000000"]),
        ("pool-recursion-shares", {"shares": [0.5, 0.4]}, ["shares sum to 0.9"]),
        ("pool-accumulate-shares", {"shares": [0.5, 0.6]}, ["shares sum to 1.1"]),
        ("pool-accumulate-shares-limit", {"shares": [0.5]}, ["shares sum to 0.5"]),
        ("federation-coarse", {"weights": [0.1, 0.2, 0.3]}, ["weights", "3 values", "2 sizes"]),
        ("federation-best-weight", {"sizes": [4]}, ["sizes is [4]", "two"]),
        ("fresh-data-regression-limit", {"model": "probit"}, ["model is probit", "logistic"]),
    ],
)
def test_refusals_name_the_field_and_the_value(name, arguments, words):
    law = LAWS[name]
    with pytest.raises(InvalidInput) as refused:
        law.function(**valid_arguments(law.parameters) | arguments)
    assert all(word in str(refused.value) for word in words)


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_documented(name):
    law = LAWS[name]
    assert f"`{name}`" in DOCS
    assert law.what
    assert law.formula
    assert law.source
    assert all(parameter.meaning for parameter in law.parameters)
