"""The guide's examples run and print what it says."""

import re
from pathlib import Path

import numpy as np
import pytest
from crossfeed.theory import load_ecosystem

GUIDE = Path(__file__).parents[2] / "docs" / "decide.md"


@pytest.mark.long
def test_examples_of_the_guide_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    exec(compile("\n".join(blocks), str(GUIDE), "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "α = 0.2177, β = 0.5537, efficiency 0.7075"
    assert said[1] == "α = 0.2296, β = 0.5304, price of anarchy 1.0028"
    assert said[-1].startswith("runs of a single alpha")
    with np.load("observed.npz") as archive:
        assert archive["estimates"].shape == (21, 3, 4)
    assert load_ecosystem(Path("eco.npz")).entities == 3
