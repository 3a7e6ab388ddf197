"""Examples in docstrings: all of them run, each by itself, and no public name of a finished package is without one."""

import doctest
import importlib
from pathlib import Path
from types import ModuleType

import crossfeed
import pytest

FACE = ("atomic_write", "differences", "errors", "multihost", "reading", "toml_reader")
PACKAGES = ("theory", "sim")
COMPLETE = ("theory", "sim", *FACE)


def module_names() -> list[str]:
    """Every module of the packages, without importing any."""
    names = [f"crossfeed.{name}" for name in FACE]
    for package in PACKAGES:
        folder = Path(getattr(crossfeed, package).__file__).parent
        for path in sorted(folder.rglob("*.py")):
            names.append(".".join(("crossfeed", package, *path.relative_to(folder).with_suffix("").parts)))
    return [name.removesuffix(".__init__") for name in names]


def examples_of(module: ModuleType) -> list[doctest.DocTest]:
    """Those of the module's docstring, and of the functions and classes it defines."""
    # Left to itself, the finder passes over functions whose decorators come from other modules.
    found = [doctest.DocTestParser().get_doctest(module.__doc__ or "", {}, module.__name__, module.__file__, 0)]
    for name, value in vars(module).items():
        if callable(value) and getattr(value, "__module__", None) == module.__name__:
            found += doctest.DocTestFinder().find(value, f"{module.__name__}.{name}", module=False, globs={})
    return found


@pytest.mark.parametrize("name", module_names())
def test_examples_print_what_they_show(name):
    said = []
    for example in examples_of(importlib.import_module(name)):
        doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("name", COMPLETE)
def test_every_public_name_has_an_example(name):
    room = importlib.import_module(f"crossfeed.{name}")
    own = {k: v for k, v in vars(room).items() if callable(v) and not k.startswith("_")}
    if name in FACE:  # a module, which does not offer what it imports
        own = {k: v for k, v in own.items() if getattr(v, "__module__", None) == room.__name__}
    assert own
    without = [k for k, v in own.items() if not doctest.DocTestParser().get_examples(v.__doc__ or "")]
    assert not without, f"no example in the docstring of: {', '.join(without)}"
