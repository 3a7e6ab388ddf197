"""How JAX uses the machine: settings for a process of ours, never made by importing the library."""

import os


def prepare_jax() -> None:
    """Set JAX up for exact theory on this machine's cores; call it before JAX is first imported.

    float64; one CPU device a core, which sweeps and simulations share out to; and none of the threads within LAPACK calls,
    since JAX hands it small matrices one by one. XLA's older CPU code generator compiles our programs a third faster than the
    newer one, and they run a tenth faster.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    ours = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{ours} {os.environ.get('XLA_FLAGS', '')}"  # the last of two wins: the user's
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", _usable_cores())


def _usable_cores() -> int:
    """Cores this process may run on, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
