"""The decoder against `transformers`, by way of files that a run of it left: see make_golden.py."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossfeed.sim.lm.model.formats.pretrained import load_model
from crossfeed.sim.lm.model.generate import complete

from . import tiny_models
from .tiny_models import BATCH, CONFIGS, LENGTHS, NEW_TOKENS, PROMPT

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module", params=list(CONFIGS))
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    tiny_models.write_checkpoint(folder, request.param)
    with np.load(GOLDEN / f"{request.param}.npz") as golden:
        return load_model(folder), dict(golden)


def test_logits_agree_with_transformers(case):
    model, golden = case
    real = np.arange(len(BATCH[0])) < np.array(LENGTHS)[:, None]
    logits = jax.jit(lambda model, tokens, segments: model(tokens, segments))(model, jnp.array(BATCH), real)
    assert abs(golden["logits"][real]).max() > 1  # or agreement would mean little
    np.testing.assert_allclose(np.asarray(logits)[real], golden["logits"][real], atol=1e-4, rtol=0)


def test_fifty_greedy_tokens_agree_with_transformers(case):
    model, golden = case
    written = complete(
        jax.tree.map(lambda leaf: leaf[None], model),
        jnp.array([[PROMPT]]),
        jnp.array([[len(PROMPT)]]),
        jax.random.split(jax.random.key(0), (1, 1)),
        new_tokens=NEW_TOKENS,
        stop=model.config.vocabulary,  # none
        temperature=0.0,
    )
    assert written[0, 0].tolist() == golden["greedy"].tolist()
