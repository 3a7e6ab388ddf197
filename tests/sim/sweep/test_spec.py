"""Mistakes in a spec are named with their line."""

import re
from pathlib import Path

import pytest
from crossfeed.sim.sweep import QUANTITIES, parse_spec
from crossfeed.sim.sweep.spec import AXES

from crossfeed.errors import InvalidInput

GOOD = """[sweep]
quantities = ["mse"]
generations = 4
seed = 1

[ecosystem]
family = "random"
draws = 3

[axes]
alpha = [0.1, 0.2]
beta = { from = 0.1, to = 0.9, points = 5 }
volume = { from = 1, to = 100, points = 3, scale = "log" }
rank = 2
"""


def test_ranges_lists_and_numbers():
    spec = parse_spec(GOOD)
    assert spec.swept.keys() == {"draw", "volume", "beta", "alpha"}
    assert spec.swept["volume"] == pytest.approx((1, 10, 100))
    assert spec.swept["beta"] == pytest.approx((0.1, 0.3, 0.5, 0.7, 0.9))
    assert spec.values("rank") == (2,)
    assert spec.values("entities") == (4,)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'quantities = ["mse"]',
            'quantities = ["mes"]',
            r"line 2: sweep.quantities 'mes' is not a quantity: did you mean 'mse'\?",
        ),
        ('quantities = ["mse"]', "quantities = []", "line 2: sweep.quantities is empty: choose from spectral_radius,"),
        (
            'quantities = ["mse"]',
            'quantities = ["loss"]',
            "line 2: sweep.quantities 'loss' is not a quantity: choose from",
        ),
        ('quantities = ["mse"]', 'quantities = [["mse"]]', r"line 2: sweep.quantities \['mse'\] is not a quantity"),
        ('quantities = ["mse"]', "", "sweep.quantities is missing"),
        (
            'quantities = ["mse"]',
            'quantities = ["interpolation_error"]',
            "'interpolation_error' is one of interpolated planes",
        ),
        ("generations = 4", 'generations = "4"', "line 3: sweep.generations is '4', but must be a whole number"),
        ("generations = 4", "generations = -1", "line 3: sweep.generations is -1"),
        ("seed = 1", "sed = 1", "line 4: sweep.sed unknown"),
        ("seed = 1", f"seed = {2**63}", "line 4: sweep.seed holds a whole number of more than 64 bits"),
        ('family = "random"', 'family = "randm"', "line 7: ecosystem.family is 'randm'"),
        ("draws = 3", "draws = 0", "line 8: ecosystem.draws is 0"),
        ("draws = 3", "draws = 1_000_000_000", "line 8: ecosystem.draws is 1000000000, but must be at most 100000"),
        ("draws = 3", "draw = 3", "line 8: ecosystem.draw unknown"),
        ("alpha = [0.1, 0.2]", "alpha = [0.1, 1.2]", r"line 11: axes.alpha is 1.2, but must lie in \[0, 1\]"),
        ("alpha = [0.1, 0.2]", "alpha = [0.1, 0.1]", "line 11: axes.alpha holds 0.1 twice"),
        ("alpha = [0.1, 0.2]", "alpha = []", "line 11: axes.alpha is an empty list"),
        (
            "alpha = [0.1, 0.2]",
            f"alpha = {[0.1] * 100_001}",
            "line 11: axes.alpha holds 100001 values, but may hold at most",
        ),
        ("alpha = [0.1, 0.2]", "alpha = [true]", "line 11: axes.alpha is True"),
        ("alpha = [0.1, 0.2]", "alpha = nan", "line 11: axes.alpha is nan"),
        ("alpha = [0.1, 0.2]", "", "axes.alpha missing"),
        ("points = 5", "points = 1", "line 12: axes.beta points is 1"),
        ("points = 5", "points = 1_000_000_000", "line 12: axes.beta points is 1000000000"),
        (
            "points = 5",
            "steps = 5",
            "line 12: axes.beta does not know steps and lacks points: a range has from, to, points",
        ),
        ("from = 1, to", "from = 0, to", "line 13: axes.volume runs from 0.0 to 100.0, but a log range"),
        ("rank = 2", "rank = 2.5", "line 14: axes.rank is 2.5, but must be a whole number"),
        ("rank = 2", "rank = 16", "line 14: axes.rank reaches 16, above the dimension 15"),
        ("rank = 2", "rnak = 2", "line 14: axes.rnak unknown"),
        ("rank = 2", "entities = [1, 2]\ndominant_share = 0.5", "line 15: axes.dominant_share needs at least 2"),
        ("[axes]", "[axis]", "line 10: axis unknown"),
        ("[axes]", "[axes", "spec is not TOML"),
    ],
)
def test_mistakes_are_named_with_their_line(old, new, says):
    assert old in GOOD
    with pytest.raises(InvalidInput, match=says):
        parse_spec(GOOD.replace(old, new, 1))


def test_a_table_of_its_own_has_lines_too():
    text = GOOD.replace("volume = { from = 1, to = 100", "rank = 1\n[axes.volume]\nx = { to = 100").replace(
        "rank = 2", ""
    )
    with pytest.raises(InvalidInput, match=r"line 14: axes.volume does not know x and lacks from"):
        parse_spec(text)


def test_families_refuse_what_does_not_apply_to_them():
    with pytest.raises(InvalidInput, match=r"axes\.rank does not apply to the family 'symmetric'"):
        parse_spec(GOOD.replace('"random"', '"symmetric"').replace("draws = 3", ""))


def test_the_page_describes_every_quantity_and_axis():
    page = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    about_specs, _ = page.split("## The gallery")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in about_specs.splitlines()
        if line.startswith("| `")
    ]
    described = {name: cells for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}
    assert described.keys() == QUANTITIES.keys() | set(AXES)
    for name, quantity in QUANTITIES.items():
        _, what, unit, _ = described[name]
        assert what
        assert ("σ²" in unit) == (quantity.units == "σ²"), name
