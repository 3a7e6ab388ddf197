"""The published tables of losses, and the pattern score."""

import numpy as np
from crossfeed.figures.lm.published import FIRST, direction, pattern_score, published_directions


def test_published_tables_agree_in_32_cells():
    opt, llama = (published_directions(model) for model in ("OPT-350m", "Llama-3.2-1B"))
    assert (opt == llama).sum() == 32
    for model in FIRST:
        assert pattern_score(published_directions(model), model) == 36
        assert pattern_score(-published_directions(model), model) == (published_directions(model) == 0).sum()


def test_direction_of_a_change():
    first = np.array([1.0, 1.0, 1.0, 1.0])
    assert direction(first, np.array([1.1, 0.9, 1.11, 0.8]), decimals=2).tolist() == [0, 0, 1, -1]
