"""How commands set JAX up: for this process, before JAX is imported. Importing the library never changes a setting."""

import os
import warnings

_CACHE_BYTES = 2**31

_UNKNOWN_FROM = {
    "--xla_cpu_use_fusion_emitters": (0, 11, 1),
    "--xla_cpu_parallel_codegen_split_count": (0, 13),
    "--xla_cpu_prefer_vector_width": (0, 13),
}
"""The first jaxlib whose XLA does not know a flag, or has not been tried: XLA ends the process at a flag it does not know."""


def set_up_jax(small_matrices: bool = True) -> None:
    """Set JAX up for this machine's cores; call it before JAX is first imported.

    float64; one CPU device per core, which sweeps and simulations share; no threads within LAPACK calls, since JAX hands
    it small matrices one by one; and compiled programs are kept in the user's cache folder.

    Args:
        small_matrices: use XLA's older CPU code generator where there is one. It compiles programs of the theory a third
            faster, and they run a tenth faster; language models run a tenth slower. Without it, vectors are as wide as the
            cores have them, where XLA would stop at 256 bits: a twentieth faster for language models.
    """
    from importlib.metadata import version

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # XLA logs for which machine each cached program was compiled, as errors. "1" is JAX's own, of a process that started this one.
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    ours = (
        {"--xla_cpu_use_fusion_emitters": "false", "--xla_cpu_parallel_codegen_split_count": "1"}
        if small_matrices
        else {"--xla_cpu_prefer_vector_width": "512"}
    )
    installed = tuple(int(part) for part in version("jaxlib").split(".")[:3] if part.isdecimal())
    known = [f"{flag}={value}" for flag, value in ours.items() if installed < _UNKNOWN_FROM[flag]]
    os.environ["XLA_FLAGS"] = " ".join([*known, os.environ.get("XLA_FLAGS", "")])  # the last of two wins: the user's
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", _usable_cores())
    _keep_compiled_programs()


def _keep_compiled_programs() -> None:
    """Turn on JAX's compilation cache, in the folder that JAX_COMPILATION_CACHE_DIR names or else the user's cache folder.

    JAX_ENABLE_COMPILATION_CACHE=0 turns it off. A folder that cannot be read or written costs time, not the command.
    """
    import jax
    from platformdirs import user_cache_path

    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(user_cache_path("crossfeed") / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_compilation_cache_max_size", _CACHE_BYTES)


def _usable_cores() -> int:
    """Cores this process may run on, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
