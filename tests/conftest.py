"""Every test: float64, shapes in signatures checked, the same examples each time."""

import gc
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when JAX loads LAPACK; two workers share two cores

# Most of the time goes into compiling small programs, also in the commands that tests start.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1")

import jax
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", 2)  # so that sharing out over devices is tested where it matters

install_import_hook(["crossfeed.theory", "crossfeed.sim", "crossfeed.proofs_check"], "beartype.beartype")

settings.register_profile(
    "crossfeed", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("crossfeed")


def pytest_collection_finish():
    """Collect garbage rarely, and never among what was imported: tracing makes much that lives briefly."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # instead of 700, 10, 10: a twentieth of the time
