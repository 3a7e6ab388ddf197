"""Build the wheel, install it with each extra alone into an environment of its own, and run that extra's commands there.

Usage: wheel_check.py [EXTRA ...], by a Python that has `build`; all extras if not given. The core alone always comes first:
other environments start with links to what it has installed, since unpacking and compiling that eight times is much of the work.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

STUDY = """
[study]
alpha = [0.5]
beta = [0.5]
generations = 1
samples = 20
[[entity]]
task = "science:biology"
[[entity]]
task = "arithmetic:work"
[model]
layers = 1
width = 16
heads = 2
context = 160
pretrain_steps = 1
[training]
steps = 1
batch = 2
length = 128
[pool]
new_tokens = 4
[measures]
test_items = 4
text_items = 2
"""
SWEEP = """
[sweep]
quantities = ["spectral_radius", "mean_mse"]
[axes]
entities = 2
dimension = 4
rank = 2
alpha = [0.25, 0.5]
beta = [0.25, 0.5]
"""
TEXTS = '{"text": "one two"}\n{"text": "three four"}\n'
TABLE = "a,b,price\n" + "".join(f"{i},{i * i % 7},{3 * i + i * i % 5}\n" for i in range(12))

WEIGHTS = "--alpha 0.5 --beta 0.5"
COMMANDS = {
    "": [
        "--version",
        "--help",
        f"limit eco.npz {WEIGHTS}",
        f"limit eco.npz {WEIGHTS} --json",
        f"trajectory eco.npz {WEIGHTS} --generations 3",
        f"simulate eco.npz {WEIGHTS} --generations 3 --replicates 100",
        f"stability eco.npz {WEIGHTS}",
        "baseline replace --features 3 --rows 9 --generations 4",
    ],
    "data": [
        "ecosystem dataset iris.npz --name iris",
        "ecosystem files mine.npz --private t.csv --public t.csv --target price",
    ],
    "sweeps": ["sweep run sweep.toml --out sweep.zarr", "sweep status sweep.zarr --json"],
    "proofs": ["verify ledger B1", "verify lemma1 --trials 40 --entities-max 3 --features-max 3"],
    "figures": [
        "sweep run sweep.toml --out drawn.zarr",
        "plot drawn.zarr --variable mean_mse --out mean_mse.png",
        "predict eco.npz --out predicted --quick",
        "figure worst_case --out worst_case --set entities=2 --format pdf",
        "advise eco.npz --out advice",
        "verify ledger B1",
    ],
    "explore": ["explore --port 0 --no-browser"],
    "decide": ["measure a.jsonl b.jsonl"],
    "lm": [
        "lm run study.toml --out run",
        "lm table run",
        "lm figure run --out loss.png",
        f"lm evaluate run {WEIGHTS} --items 2",
        f"lm generate run --prompt Question: {WEIGHTS}",
    ],
}
"""Commands of each extra, which run where it alone is installed; all but the core's are refused in the core."""


def main() -> None:
    """Check the extras that the command line names."""
    extras = sys.argv[1:] or [extra for extra in COMMANDS if extra]
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling takes longer than running
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles nothing here: let commands keep what Python compiles
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "cache")
        wheel = build(Path(folder))
        for extra in ("", *extras):
            check(Path(folder), wheel, extra)


def build(folder: Path) -> Path:
    """The wheel of a clean copy: what an earlier build left in the checkout must not get into it."""
    source = folder / "source"
    # Tools that run beside this one write in their caches.
    caches = (".hypothesis", ".pytest_cache", ".ruff_cache")
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "results", "__pycache__", "*.egg-info", *caches)
    shutil.copytree(ROOT, source, ignore=ignored)
    quietly([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(source)])
    (wheel,) = (folder / "dist").glob("*.whl")
    packed = {name.removeprefix("crossfeed/") for name in zipfile.ZipFile(wheel).namelist()}
    for room in ("crossfeed", "theory", "sim", "decide", "proofs_check", "figures", "cli"):
        for file in source.joinpath(room).rglob("*"):
            name = str(file.relative_to(source)).removeprefix("crossfeed/")
            if file.is_file() and name not in packed:
                sys.exit(f"the wheel lacks {name}")
    return wheel


def check(folder: Path, wheel: Path, extra: str) -> None:
    """Install the wheel with one extra, and run its commands in a folder of their own."""
    place = folder / (extra or "core")
    venv.create(place / "venv", with_pip=not extra)
    if extra:
        (core,), (packages,) = (where.glob("venv/lib/python*/site-packages") for where in (folder / "core", place))
        ours = shutil.ignore_patterns("crossfeed*")
        shutil.copytree(core, packages, ignore=ours, copy_function=os.link, dirs_exist_ok=True)
    python, crossfeed = place / "venv" / "bin" / "python", place / "venv" / "bin" / "crossfeed"
    what = f"{wheel}[{extra}]" if extra else str(wheel)
    quietly([str(python), "-m", "pip", "install", "--quiet", "--no-compile", "-c", str(ROOT / "constraints.txt"), what])
    for name, text in {
        "study.toml": STUDY,
        "sweep.toml": SWEEP,
        "t.csv": TABLE,
        "a.jsonl": TEXTS,
        "b.jsonl": TEXTS,
    }.items():
        (place / name).write_text(text, encoding="utf-8")
    if extra:
        shutil.copy(folder / "core" / "eco.npz", place)
    else:
        imports = "import crossfeed, sys; assert 'jax' not in sys.modules; crossfeed.limit, crossfeed.simulate"
        quietly([str(python), "-c", imports], place)
        quietly([str(crossfeed), "ecosystem", "random", "eco.npz"], place)
    for command in COMMANDS[extra]:
        if command.startswith("explore"):
            serve(crossfeed, command, place)
        else:
            quietly([str(crossfeed), *command.split()], place)
    if extra:
        shutil.rmtree(place)
    else:
        refuse(crossfeed, place)
    print(
        f"wheel[{extra}]: installed, and its commands run" if extra else "wheel: installed, the core's commands run",
        flush=True,
    )


def refuse(crossfeed: Path, place: Path) -> None:
    """Without an extra, its commands say in one sentence which to install."""
    for extra, commands in COMMANDS.items():
        if not extra:
            continue
        ended = subprocess.run(
            [crossfeed, *commands[0].split()], cwd=place, capture_output=True, text=True, check=False
        )
        wanted = "sweeps" if extra == "figures" else extra  # its first command is a sweep
        if (
            ended.returncode != 2
            or f"pip install 'crossfeed[{wanted}]'" not in ended.stderr
            or ended.stderr.count("\n") != 1
        ):
            sys.exit(f"crossfeed {commands[0]} without the extra ended with {ended.returncode}: {ended.stderr}")


def serve(crossfeed: Path, command: str, place: Path) -> None:
    """Start the page's server, wait for its address, and stop it."""
    server = subprocess.Popen(
        [crossfeed, *command.split()], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    said = server.stdout.readline()
    server.send_signal(signal.SIGINT)
    _, errors = server.communicate(timeout=60)
    if "http://localhost" not in said:
        sys.exit(f"crossfeed {command} said no address: {said}{errors}")


def quietly(command: list[str], place: Path | None = None) -> None:
    """Run a command, and show what it says only if it fails."""
    ended = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}")


if __name__ == "__main__":
    main()
