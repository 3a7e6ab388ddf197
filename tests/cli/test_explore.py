"""The interactive page as a person meets it: the real command, a real browser, real keys."""

import math
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from crossfeed.cli.main import main
from crossfeed.figures.explore.family import Setting, turned_ecosystem
from crossfeed.figures.explore.model import GENERATIONS

from crossfeed import theory

from .chromium import CHROMIUM, Chromium

pytestmark = pytest.mark.long  # the server compiles for twenty seconds

COMMAND = [str(Path(sys.executable).with_name("crossfeed")), "explore", "--port", "0", "--no-browser"]
SAID = "document.querySelector('[data-said={}]').textContent"
PLOT = "Bokeh.documents[0].roots().find(root => root.name === '{}')"


@pytest.fixture(scope="module")
def address():
    server = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline()
    yield line.split()[0]
    server.send_signal(signal.SIGINT)
    time.sleep(0.3)
    server.send_signal(signal.SIGINT)  # by those who do not wait; nobody hears it
    out, err = server.communicate(timeout=30)
    said = [
        line for line in err.splitlines() if not line.startswith("compiling the theory: ")
    ]  # progress, where that is slow
    assert (server.returncode, out, said) == (0, "", []), "Ctrl-C must end it without a word"


@pytest.fixture(scope="module")
def browser(address):
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the interactive page was not tested in a browser")
    with Chromium() as tab:
        tab.open(address)
        tab.until("window.Bokeh && Bokeh.documents.length > 0 && " + SAID.format("plane_caption"))
        yield tab
        assert tab.errors == []
        hosts = {request.split("/")[2] for request in tab.requests if request.startswith(("http", "ws"))}
        assert hosts == {address.split("/")[2]}, "the page must need nothing from elsewhere"


def move(browser: Chromium, name: str, value: float) -> None:
    browser.evaluate(
        f"(() => {{ const slider = document.getElementById('{name}'); slider.value = {value}; "
        "slider.dispatchEvent(new Event('input')) })()"
    )


def settle(browser: Chromium, setting: Setting) -> None:
    """Wait until everything on the page belongs to a setting."""
    plane = f"K = {setting.entities}, c = {setting.volume:.3g}, misalignment {setting.misalignment:.2f}"
    both = f"α = {setting.alpha:.2f}, β = {setting.beta:.2f}, {plane}"
    browser.until(f"{SAID.format('caption')} === '{both}' && {SAID.format('plane_caption')} === '{plane}'")


def by_theory(setting: Setting) -> dict[str, np.ndarray]:
    """Straight from crossfeed.theory, on the ecosystem without padding."""
    made, count = turned_ecosystem(setting), setting.entities
    ecosystem = theory.ecosystem_from_grams(
        made.private.gram[:count],
        made.public.gram,
        made.synthetic.gram[:count],
        made.shares[:count],
        1.0,
        made.public.truth,
    )

    @jax.jit
    def work_out(ecosystem, weights):
        law = theory.limit(ecosystem, weights)
        return {
            "spectral_radius": law.spectral_radius,
            "limit_mse": theory.mse(law).mean(),
            "transfer": theory.transfer(law),
            "mse": theory.trajectory(ecosystem, weights, GENERATIONS, theory.mse),
        }

    found = work_out(ecosystem, theory.Weights(setting.alpha, setting.beta))
    return {name: np.asarray(value) for name, value in found.items()}


def test_numbers_follow_the_keyboard_and_are_those_of_the_theory(browser):
    browser.evaluate("document.getElementById('alpha').focus()")
    browser.press("ArrowLeft", 37, times=20)
    for name, value in (("beta", 0.8), ("entities", 3), ("log_volume", 1), ("misalignment", 0.2)):
        move(browser, name, value)
    setting = Setting(0.3, 0.8, 3, 10.0, 0.2)
    settle(browser, setting)
    expected = by_theory(setting)
    for name in ("spectral_radius", "limit_mse"):
        assert float(browser.evaluate(SAID.format(name))) == pytest.approx(float(expected[name]), rel=1e-4), name
    weights = expected["transfer"]
    assert float(browser.evaluate(SAID.format("own"))) == pytest.approx(np.trace(weights[:, :3]) / 3, rel=1e-4)
    drawn = browser.evaluate(f"Array.from({PLOT.format('trajectories')}.renderers[1].data_source.data.y)")
    np.testing.assert_allclose(drawn, expected["mse"].mean(1), rtol=1e-9)
    cells = browser.evaluate(f"Array.from({PLOT.format('transfer')}.renderers[0].data_source.data.image[0])")
    np.testing.assert_allclose(np.reshape(cells, (3, 4)), weights[:, [-1, 0, 1, 2]], rtol=1e-9)
    assert "converges" in browser.evaluate(SAID.format("verdict"))


def test_an_ecosystem_that_diverges_says_so_and_shows_no_limit(browser):
    for name, value in (("alpha", 0.6), ("beta", 1), ("entities", 8), ("log_volume", 0), ("misalignment", 1)):
        move(browser, name, value)
    settle(browser, Setting(0.6, 1.0, 8, 1.0, 1.0))
    radius = float(browser.evaluate(SAID.format("spectral_radius")))
    assert radius > 1.1
    said = browser.evaluate(SAID.format("verdict"))
    assert "diverges" in said
    assert "there is no limit" in said
    growth = re.search(r"grow by ([\d.]+) %", said)
    assert growth is not None
    assert float(growth[1]) == pytest.approx(100 * (radius - 1), abs=0.06)
    assert [browser.evaluate(SAID.format(name)) for name in ("limit_mse", "efficiency", "own")] == ["–"] * 3
    limit = browser.evaluate(f"{PLOT.format('trajectories')}.renderers[2].data_source.data.y.length")
    assert limit == 0
    assert browser.evaluate(f"{PLOT.format('transfer')}.renderers[1].data_source.data.text[0]") == "no limit"


def frame(browser: Chromium) -> tuple[float, float, float, float]:
    """Where the phase diagram lies in the window: left, top, width and height."""
    browser.evaluate("document.getElementById('weights').scrollIntoView()")
    return browser.evaluate(
        "(() => { const view = Bokeh.index.get_by_id("
        f"{PLOT.format('diagram')}.id); const box = view.canvas_view.el.getBoundingClientRect(), f = view.frame.bbox; "
        "return [box.x + f.left, box.y + f.top, f.width, f.height] })()"
    )


def test_tapping_the_phase_diagram_chooses_the_weights_and_draws_the_circle_there(browser):
    left, top, width, height = frame(browser)
    for kind in ("mousePressed", "mouseReleased"):
        browser.mouse(kind, left + 0.7 * width, top + 0.8 * height)
    browser.until("Math.abs(document.getElementById('alpha').value - 0.7) < 0.02")
    alpha, beta = (float(browser.evaluate(f"document.getElementById('{name}').value")) for name in ("alpha", "beta"))
    assert math.isclose(beta, 0.2, abs_tol=0.02)
    browser.until(f"{SAID.format('caption')}.startsWith('α = {alpha:.2f}, β = {beta:.2f}, ')")
    circle = f"{PLOT.format('diagram')}.renderers.filter(r => r.glyph.type === 'Scatter')[1].data_source.data"
    assert browser.evaluate(f"[{circle}.x[0], {circle}.y[0]]") == [alpha, beta]


def test_dragging_on_the_phase_diagram_moves_the_weights(browser):
    left, top, width, height = frame(browser)
    browser.mouse("mousePressed", left + 0.2 * width, top + 0.2 * height)
    for part in (0.25, 0.3, 0.35):  # the page counts β upwards, the browser downwards
        browser.mouse("mouseMoved", left + part * width, top + 0.5 * part * height)
    browser.mouse("mouseReleased", left + 0.35 * width, top + 0.175 * height)
    browser.until("Math.abs(document.getElementById('alpha').value - 0.35) < 0.02")
    assert math.isclose(float(browser.evaluate("document.getElementById('beta').value")), 0.825, abs_tol=0.02)


def test_the_address_keeps_the_sliders(browser):
    for name, value in (("alpha", 0.3), ("beta", 0.6), ("entities", 5), ("log_volume", 0.5), ("misalignment", 0.1)):
        move(browser, name, value)
    browser.until("location.hash.includes('entities=5')")
    browser.evaluate("window.before = true")
    browser.send("Page.reload")
    browser.until("!window.before && window.Bokeh && document.querySelector('[data-said=caption]') !== null")
    settle(browser, Setting(0.3, 0.6, 5, 10**0.5, 0.1))
    # The page writes the address a moment after a move; what is typed just before that must not be lost.
    late = "history.replaceState(null, '', '#alpha=0.3')"
    browser.evaluate(f"location.hash = 'alpha=7&beta=x&entities=-2&diagram=spectral_radius'; {late}")
    settle(browser, Setting(1.0, 0.6, 1, 10**0.5, 0.1))
    assert browser.evaluate("document.querySelector('input[name=diagram]:checked').value") == "spectral_radius"
    browser.evaluate("location.hash = 'diagram=efficiency&alpha=0.5&entities=8'")
    settle(browser, Setting(0.5, 0.6, 8, 10**0.5, 0.1))


def test_a_narrow_window_needs_no_sideways_scrolling(browser):
    browser.resize(390, 844)
    browser.until("document.documentElement.scrollWidth <= 390", seconds=20)
    browser.resize(1280, 900)
    browser.until("document.documentElement.scrollWidth <= 1280", seconds=20)


def test_an_own_ecosystem_is_shown_with_sliders_for_what_is_free(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the interactive page was not tested in a browser")
    path, ecosystem = tmp_path / "mine.npz", theory.random_gaussian(jax.random.key(2), entities=3, dimension=4, rank=2)
    theory.save_ecosystem(ecosystem, path)
    server = subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        with Chromium() as tab:
            tab.open(server.stdout.readline().split()[0])
            tab.until("window.Bokeh && Bokeh.documents.length > 0 && " + SAID.format("plane_caption"))
            assert tab.evaluate("[...document.querySelectorAll('#sliders input')].map(x => x.id).join()") == (
                "alpha,beta,log_volume"
            )
            move(tab, "alpha", 0.7)
            tab.until(f"{SAID.format('caption')} === 'α = 0.70, β = 0.50, K = 3, c = 1'")
            expected = theory.summarize_stability(ecosystem, theory.Weights(0.7, 0.5))
            found = {"spectral_radius": expected.spectral_radius, "public_change": expected.anchor.change}
            for name, value in found.items():
                assert float(tab.evaluate(SAID.format(name))) == pytest.approx(float(value), rel=1e-4), name
            assert tab.errors == []
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)


@pytest.mark.parametrize(
    ("workflow", "message"),
    [
        ('[memory]\nkind = "accumulate"\n', "memory.kind is 'accumulate', with which there is no limit to show"),
        ('[pool]\nkind = "network"\nreaders = [[1.0]]\n', "workflow.toml: "),
    ],
)
def test_a_workflow_that_does_not_fit_an_own_ecosystem_is_refused(workflow, message, tmp_path, monkeypatch, capsys):
    path, toml = tmp_path / "mine.npz", tmp_path / "workflow.toml"
    theory.save_ecosystem(theory.symmetric_ecosystem(2, jax.numpy.eye(1)), path)
    toml.write_text(workflow)
    command = ["crossfeed", "explore", str(path), "--port=0", "--no-browser", "--workflow", str(toml)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as exit_:
        main()
    out, err = capsys.readouterr()
    assert (exit_.value.code, out, err.count("crossfeed: ")) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize("port", [70000, -1])
def test_a_port_out_of_range(port, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["crossfeed", "explore", f"--port={port}"])
    with pytest.raises(SystemExit) as exit_:
        main()
    out, err = capsys.readouterr()
    assert (exit_.value.code, out, err) == (2, "", f"crossfeed: port is {port}, but must lie in 0..65535\n")


def test_a_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [*COMMAND[:2], f"--port={port}"], capture_output=True, text=True, timeout=60, check=False
        )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith(f"crossfeed: port {port} is in use")
