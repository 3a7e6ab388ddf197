"""Every test: float64, shapes in signatures checked, compiled code kept between runs, the same examples each time."""

from pathlib import Path

import jax
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".jax_cache"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

install_import_hook(["crossfeed.theory", "crossfeed.sim"], "beartype.beartype")

settings.register_profile(
    "crossfeed", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("crossfeed")
