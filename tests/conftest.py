"""Every test: float64, shapes in signatures checked, no silent promotion, the same examples each time."""

import atexit
import gc
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

# One folder of compiled programs for the commands that the tests of all workers start.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="crossfeed-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

from crossfeed.cli.jax_setup import set_up_jax

set_up_jax()

import jax
import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 2)  # so that sharing out over devices is tested where it matters
jax.config.update("jax_enable_compilation_cache", False)
jax.config.update("jax_disable_most_optimizations", True)  # here, since a session's fixtures come before a module's
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

install_import_hook(
    ["crossfeed.formulas", "crossfeed.theory", "crossfeed.sim", "crossfeed.decide", "crossfeed.proofs_check"],
    "beartype.beartype",
)

settings.register_profile(
    "crossfeed", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("crossfeed")


@pytest.fixture(autouse=True, scope="module")
def _optimizer(request):
    """Programs are compiled without most of XLA's optimizations, except in modules marked `optimized`.

    Most of the suite's time goes into compiling small programs. Commands that tests start are compiled as users' are, but
    for those of tests/cli/test_lm.py.
    """
    if request.node.get_closest_marker("optimized") is None:
        yield
        return
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()
    yield
    jax.config.update("jax_disable_most_optimizations", True)
    jax.clear_caches()


@pytest.fixture(autouse=True, scope="module")
def _room_for_programs():
    """Compiled programs are dropped before their memory maps, of which Linux lets a process have 65,530, run out."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 40_000:
        jax.clear_caches()


def pytest_collection_modifyitems(items):
    """Files with the most long tests come first, and last those of few tests, so that no worker ends long after another."""
    tests = Counter(item.path for item in items)
    long = Counter(item.path for item in items if item.get_closest_marker("long"))
    items.sort(key=lambda item: (-long[item.path], -tests[item.path]))


def pytest_collection_finish():
    """Collect garbage rarely, and never among what was imported: tracing makes much that lives briefly."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # instead of 700, 10, 10: a twentieth of the time
