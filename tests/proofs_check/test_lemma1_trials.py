"""Trials of Lemma 1: draws within and outside its condition, exact decisions, and the command."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.cli.main import main
from crossfeed.proofs_check.lemma1 import (
    OUTSIDE,
    Sizes,
    certify_bound,
    compare_with_bound,
    draw_outside,
    draw_within,
    run_trials,
    simulate_divergence,
    slack_histogram,
    summarize_survey,
    survey,
    trial_keys,
)
from crossfeed.proofs_check.rational import rational, rational_ecosystem
from flint import fmpq

from crossfeed import theory

SIZES = Sizes(1, 4, 1, 4)
TRIALS = 400


@pytest.fixture(scope="module")
def within():
    return jax.jit(jax.vmap(lambda key: draw_within(key, SIZES)))(trial_keys(5, 0, TRIALS))


@pytest.fixture(scope="module")
def found():
    return survey(5, TRIALS, SIZES)


def take(draws, number):
    return jax.tree.map(lambda leaf: leaf[number], draws)


def test_draws_cover_the_condition_and_its_edges(within):
    mixing, beta, alpha = np.asarray(within.mixing), np.asarray(within.weights.beta), np.asarray(within.weights.alpha)
    assert ((mixing > 0) & (mixing <= 1) & (beta > 0) & (beta <= mixing) & (alpha > 0) & (alpha < 1)).all()
    assert 0.1 < (mixing == 1).mean() < 0.5
    assert 0.1 < (beta == mixing).mean() < 0.5
    assert set(np.unique(within.entities)) == set(np.unique(within.features)) == {1, 2, 3, 4}
    publics = np.linalg.matrix_rank(np.asarray(within.ecosystem.public.gram), hermitian=True)
    assert set(publics) == {0, 1, 2, 3, 4}
    values = np.linalg.eigvalsh(np.asarray(within.ecosystem.private.gram))
    nonzero = np.where(values > 1e-12 * values[..., -1:], values, np.inf).min(-1)
    assert (values[..., -1] / nonzero).max() > 1e5


def test_no_draw_is_rounded(within):
    """γS = λS~ + (1-λ)S_* and the ranks hold in rational arithmetic, so the certificate finds the condition true."""
    for number in range(0, TRIALS, 20):
        assert certify_bound(take(within, number)).verdict in ("below", "attained")


def test_padding_changes_nothing(within):
    small = (np.asarray(within.entities) == 3) & (np.asarray(within.features) == 3)
    drawn = take(within, np.flatnonzero(small)[0])
    ecosystem, weights = drawn.trimmed()
    assert ecosystem.private.gram.shape == (3, 3, 3)
    whole = float(jax.jit(theory.spectral_radius)(drawn.ecosystem, drawn.weights))
    assert whole == pytest.approx(float(jax.jit(theory.spectral_radius)(ecosystem, weights)), abs=1e-9)


def test_outside_means_outside():
    draws = jax.jit(jax.vmap(lambda key: draw_outside(key, SIZES)))(trial_keys(6, 0, TRIALS))
    kind, beta, mixing = np.asarray(draws.kind), np.asarray(draws.weights.beta), np.asarray(draws.mixing)
    assert (beta > 0).all()
    large_beta, unrelated = (OUTSIDE.index(name) for name in ("β > λ", "unrelated prompts"))
    assert (beta > mixing)[kind == large_beta].all()
    assert np.isnan(mixing[kind == unrelated]).all()
    assert {large_beta, unrelated} == set(kind)


def test_survey_agrees_with_the_lemma(found):
    assert found.complaint == ""
    assert found.decided.get("undecided", 0) == 0
    assert sum(found.decided.values()) == 32
    assert found.slack.min() >= -1e-9
    assert found.extremal.certificate.verdict == "attained"
    assert (np.asarray(found.within.spectral_radius) < 1).all()
    assert found.worst.enclosure.verdict == "unstable"
    assert found.worst.enclosure.lower == pytest.approx(np.max(found.radius_outside), abs=1e-12)


def test_a_trial_depends_on_seed_and_number_alone(found):
    run = jax.jit(lambda keys: run_trials(keys, SIZES, True))
    other, later = run(trial_keys(6, 0, 50)), run(trial_keys(5, 50, 50))
    np.testing.assert_allclose(later.bound, found.within.bound[50:100], rtol=1e-6)
    assert not np.allclose(other.bound, found.within.bound[:50])


@pytest.mark.parametrize(
    ("factor", "verdict"), [(fmpq(1), "attained"), (fmpq(101, 100), "above"), (fmpq(1, 2), "below")]
)
def test_attained_bound_cannot_be_moved(found, factor, verdict):
    drawn = found.extremal.drawn
    exact = rational_ecosystem(*drawn.trimmed())
    mixing, scale = rational(float(drawn.mixing)), rational(float(drawn.scale))
    assert compare_with_bound(exact, mixing, scale, factor)[0] == verdict


def test_certificate_refuses_what_is_outside(within):
    drawn = take(within, np.flatnonzero(np.asarray(within.mixing) < 0.6)[0])
    moved = type(drawn)(
        **{**vars(drawn), "weights": theory.Weights(drawn.weights.alpha, jnp.minimum(drawn.mixing * 1.5, 1.0))}
    )
    wrong = type(drawn)(**{**vars(drawn), "scale": drawn.scale * 2})
    assert certify_bound(moved).verdict == "outside the condition"
    assert certify_bound(wrong).verdict == "outside the condition"


def test_histogram_counts_every_trial(found):
    edges, counts = slack_histogram(np.append(found.slack, [-1.0, 0.0, 1.0]))
    assert counts.sum() == TRIALS + 3
    assert len(edges) == len(counts) + 1
    assert counts[0] >= 2
    for slack, low in ((10.0**-3.2, -3.5), (10.0**-0.1, -0.5), (10.0**-15.9, -16)):
        edges, counts = slack_histogram(np.array([slack]))
        assert edges[np.flatnonzero(counts)].tolist() == [low]


def test_a_summary_names_what_it_counts(found):
    said = summarize_survey(found, None)
    quantiles = said["within"]["slack_quantiles"]
    assert (quantiles["0"], quantiles["1"]) == pytest.approx((found.slack.min(), found.slack.max()))
    assert quantiles["0.5"] == pytest.approx(np.median(found.slack))
    kind = np.asarray(found.outside.kind)
    for name in ("β > λ", "unrelated prompts"):
        radius = found.radius_outside[kind == OUTSIDE.index(name)]
        assert said["outside"][name]["trials"] == len(radius) > 0
        assert said["outside"][name]["quantiles"]["1"] == pytest.approx(radius.max())
    worst = said["outside"]["worst"]
    assert worst["kind"] == "unrelated prompts"  # the other kind does not reach one
    assert worst["mixing"] is None
    extremal = said["within"]["extremal"]
    assert (extremal["entities"], extremal["features"]) == found.extremal.drawn.trimmed()[0].private.gram.shape[:2]
    assert extremal["alpha"] == float(found.extremal.drawn.weights.alpha)
    assert extremal["beta"] == float(found.extremal.drawn.weights.beta)


def test_an_error_that_grows_does_so_by_the_spectral_radius():
    made, weights = theory.worst_case(2, 20.0), theory.Weights(0.5, 1.0)
    ecosystem = theory.ecosystem_from_grams(
        made.private.gram, made.public.gram, made.synthetic.gram, made.shares, theta=jnp.zeros(2)
    )
    radius = float(jax.jit(theory.spectral_radius)(ecosystem, weights))
    found = simulate_divergence(jax.random.key(0), ecosystem, weights, radius)
    assert float(found.exact_growth) == pytest.approx(radius, rel=1e-3)
    assert float(found.growth) == pytest.approx(radius, rel=2e-3)
    z = (found.simulated - found.exact) / found.simulated_se
    assert float(jnp.abs(z).max()) < 4
    # One direction outgrows the others: its square is a multiple of χ² with one degree of freedom, and the root halves its error.
    assert float(found.simulated_se[-1] / found.simulated[-1]) == pytest.approx(np.sqrt(2 / 2000) / 2, rel=0.05)


def test_no_divergence_where_there_is_none():
    with pytest.raises(theory.InvalidInput, match=r"spectral_radius is 0\.9"):
        simulate_divergence(jax.random.key(0), theory.worst_case(2, 1.0), theory.Weights(0.5, 1.0), 0.9)


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["crossfeed", "verify", *map(str, arguments)])
    main()
    return capsys.readouterr().out


@pytest.mark.long
def test_command_writes_what_it_says(monkeypatch, capsys, tmp_path):
    small = ("lemma1", "--trials", 300, "--entities-max", 4, "--features-max", 4, "--seed", 5, "--out", tmp_path)
    said = json.loads(run(monkeypatch, capsys, *small, "--json"))
    assert said == json.loads((tmp_path / "lemma1.json").read_text())
    assert said["within"]["violations_proved"] == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        *(
            "lemma1.json",
            "worst.npz",
            "extremal.npz",
            "outside.csv",
            "divergence.csv",
            "slack.csv",
            "slack.png",
            "slack.svg",
        )
    }
    worst = said["outside"]["worst"]
    ecosystem = theory.load_ecosystem(tmp_path / "worst.npz")
    weights = theory.Weights(worst["alpha"], worst["beta"])
    radius = float(jax.jit(theory.spectral_radius)(ecosystem, weights))
    assert worst["spectral_radius"][0] - 1e-6 <= radius <= worst["spectral_radius"][1] + 1e-6
    assert radius > 1
    extremal, (least, most) = said["within"]["extremal"], said["within"]["extremal"]["spectral_radius"]
    ecosystem = theory.load_ecosystem(tmp_path / "extremal.npz")
    weights = theory.Weights(extremal["alpha"], extremal["beta"])
    assert least - 1e-9 <= float(jax.jit(theory.spectral_radius)(ecosystem, weights)) <= most + 1e-9
    slack_from, slack_to, ecosystems = np.loadtxt(tmp_path / "slack.csv", delimiter=",", skiprows=1).T
    assert (slack_from < slack_to).all()
    np.testing.assert_array_equal(slack_from[1:], slack_to[:-1])
    assert ecosystems.sum() == 300
    growth = said["outside"]["divergence"]
    assert growth["exact_growth"] == pytest.approx(radius, abs=0.1 * (radius - 1))
    assert growth["simulated_growth"] == pytest.approx(radius, abs=0.2 * (radius - 1))


def test_sizes_of_the_command_are_those_of_the_trials(monkeypatch, capsys, tmp_path):
    asked = []

    def refuse(request, seed, trials, sizes, progress):
        asked.append((seed, trials, sizes))
        raise theory.InvalidInput("enough")

    monkeypatch.setattr("crossfeed.figures.lemma1_trials.run_trials", refuse)
    sizes = ("--trials", 7, "--entities-max", 2, "--features-max", 5, "--seed", 3)
    with pytest.raises(SystemExit):
        run(monkeypatch, capsys, "lemma1", *sizes, "--out", tmp_path)
    assert asked == [(3, 7, Sizes(1, 2, 1, 5))]


BAD = {
    "no trial": (("lemma1", "--trials", 0), ["trials", "0"]),
    "too many trials": (("lemma1", "--trials", 10**9), ["trials", "1000000000"]),
    "no entity": (("lemma1", "--trials", 1, "--entities-max", 0), ["entities-max", "0"]),
    "too many features": (("lemma1", "--trials", 1, "--features-max", 51), ["features-max", "51"]),
    "seed": (("lemma1", "--trials", 1, "--seed", 2**70), ["seed", str(2**70)]),
}


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_one_sentence(arguments, words, monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, capsys, *arguments, "--out", tmp_path / "out")
    out, err = capsys.readouterr()
    assert exit_.value.code == 2
    assert out == ""
    assert err.startswith("crossfeed: ")
    assert err.count("\n") == 1
    assert all(word in err for word in words)
    assert not (tmp_path / "out" / "lemma1.json").exists()
