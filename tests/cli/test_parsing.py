"""Arguments that do not fit: one sentence that says which, and points to the right help."""

import pytest
from crossfeed.cli.main import main

SENTENCES = {
    "limt": "there is no command limt: did you mean limit?",
    "lm tabel x": "there is no command lm tabel: did you mean table?",
    "sweep rn": "there is no command sweep rn: did you mean run?",
    "limit e.npz --alpha 0.5": "limit needs --beta W [W ...]; see crossfeed limit --help",
    "limit e.npz --alpha 0.5 --bta 1": "limit needs --beta W [W ...], and does not know --bta 1; see crossfeed limit --help",
    "sweep run a.toml --out x --resum": (
        "sweep run does not know --resum, did you mean --resume?; see crossfeed sweep run --help"
    ),
    "limit a.npz b.npz --alpha 1 --beta 1": ("limit does not know b.npz; see crossfeed limit --help"),
    "limit a.npz 0.5 --alpha 1 --beta 1": (
        "limit does not know 0.5: the values of an option follow its name; see crossfeed limit --help"
    ),
    "limit a.npz --alpha 0.5,0.5 --beta 1": (
        "--alpha cannot be read: '0.5,0.5', but several values are written with spaces between them, and decimals with "
        "a point; see crossfeed limit --help"
    ),
    "limit e.npz --alpha x --beta 1": "--alpha cannot be read: 'x'; see crossfeed limit --help",
    f"simulate e.npz --alpha 1 --beta 1 --generations {'9' * 5000}": (
        "--generations cannot be read: a number has too many digits; see crossfeed simulate --help"
    ),
    "plot s --variable": "--variable needs a value; see crossfeed plot --help",
    "sweep status": "sweep status needs STORE; see crossfeed sweep status --help",
    "baseline accumulate --features x": "baseline accumulate needs --rows INT, --generations INT; see crossfeed baseline",
    "": "crossfeed needs one of the commands reproduce, figures, figure, limit, ",
}


@pytest.mark.parametrize("width", [50, 300])
@pytest.mark.parametrize("line", SENTENCES, ids=lambda line: line[:60])
def test_arguments_that_do_not_fit(line, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.argv", ["crossfeed", *line.split()])
    with pytest.raises(SystemExit) as stopped:
        main()
    out, said = capsys.readouterr()
    assert (stopped.value.code, out) == (2, "")
    assert said.startswith(f"crossfeed: {SENTENCES[line]}")
    assert said.count("\n") == 1
