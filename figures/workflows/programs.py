"""Compilation of large simulations that run for seconds."""

COMPILER_OPTIONS = {"xla_backend_optimization_level": 1}
"""For `jax.jit`: a third of the usual compilation time, and programs that are as fast, within what was measured on CPUs."""
