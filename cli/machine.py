"""How JAX uses the machine: settings for a process of ours, never made by importing the library."""

import os


def prepare_jax(small_matrices: bool = True) -> None:
    """Set JAX up for this machine's cores; call it before JAX is first imported.

    float64; one CPU device a core, which sweeps and simulations share out to; and none of the threads within LAPACK calls,
    since JAX hands it small matrices one by one.

    Args:
        small_matrices: use XLA's older CPU code generator. It compiles programs of the theory a third faster, and they run a
            tenth faster; language models run a tenth slower. Without it, vectors are as wide as the cores have them, where
            XLA would stop at 256 bits: a twentieth faster for language models.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    ours = (
        "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
        if small_matrices
        else "--xla_cpu_prefer_vector_width=512"
    )
    os.environ["XLA_FLAGS"] = f"{ours} {os.environ.get('XLA_FLAGS', '')}"  # the last of two wins: the user's
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", _usable_cores())


def _usable_cores() -> int:
    """Cores this process may run on, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
