"""Examples in docstrings: all of them run, each by itself, and no public name of a finished package is without one."""

import doctest
import importlib
from pathlib import Path
from types import ModuleType

import pytest

import crossfeed

FACE = (
    "array_archive",
    "atomic_write",
    "differences",
    "errors",
    "multihost",
    "random_keys",
    "reading",
    "toml_reader",
    "xla_options",
)
PACKAGES = ("formulas", "theory", "sim", "decide")
COMPLETE = ("theory", "sim", "decide", *FACE)


def modules_with_examples() -> list[str]:
    """Names of the modules whose text holds an example, found without importing them."""
    names = [f"crossfeed.{name}" for name in FACE]
    for package in PACKAGES:
        folder = Path(str(importlib.import_module(f"crossfeed.{package}").__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                names.append(".".join(("crossfeed", package, *path.relative_to(folder).with_suffix("").parts)))
    return [name.removesuffix(".__init__") for name in names]


def examples_of(module: ModuleType) -> list[doctest.DocTest]:
    """Examples of the module's docstring, and of the functions and classes that it defines."""
    # Left to itself, the finder passes over functions whose decorators come from other modules.
    found = [doctest.DocTestParser().get_doctest(module.__doc__ or "", {}, module.__name__, module.__file__, 0)]
    for name, value in vars(module).items():
        if callable(value) and getattr(value, "__module__", None) == module.__name__:
            found += doctest.DocTestFinder().find(value, f"{module.__name__}.{name}", module=False, globs={})
    return found


def marked(name: str) -> object:
    """The name, as a test that is long if examples search or sample, as those of decisions and simulations do."""
    return (
        pytest.param(name, marks=pytest.mark.long) if name.startswith(("crossfeed.decide", "crossfeed.sim")) else name
    )


@pytest.mark.parametrize("name", [marked(name) for name in modules_with_examples()])
def test_examples_print_what_they_show(name):
    found, report = examples_of(importlib.import_module(name)), []
    for example in found:
        doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert any(example.examples for example in found)
    assert not report, "".join(report)


@pytest.mark.parametrize("name", COMPLETE)
def test_every_public_name_has_an_example(name):
    room = importlib.import_module(f"crossfeed.{name}")
    own = {k: v for k, v in vars(room).items() if callable(v) and not k.startswith("_")}
    if name in FACE:  # a module, which does not offer what it imports
        own = {k: v for k, v in own.items() if getattr(v, "__module__", None) == room.__name__}
    assert own
    without = [k for k, v in own.items() if not doctest.DocTestParser().get_examples(v.__doc__ or "")]
    assert not without, f"no example in the docstring of: {', '.join(without)}"


def test_a_star_import_gives_the_public_names():
    names: dict[str, object] = {}
    exec("from crossfeed import *", names)
    assert names["limit"] is crossfeed.limit
    assert names["simulate"] is crossfeed.simulate
    assert "os" not in names
