"""JAX settings of the commands, made before JAX is imported; importing the library changes no setting."""

import gc
import os
import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from crossfeed.errors import InvalidInput, reason_of
from crossfeed.xla_options import known_options

_MOST_KEPT = 20_000
"""Compiled programs in the user's cache folder, each of some ten thousand bytes. JAX's own limit, `jax_compilation_cache_max_size`,
lists the whole folder whenever a program is added: with 3,500 of them, tests that compile took more than twice as long."""


def set_up_jax(small_matrices: bool = True, run_once: bool = False) -> None:
    """Configure JAX for this machine; to be called before JAX is first imported.

    It enables float64; pins the generator of random numbers, so that a seed means the same everywhere; makes one CPU device
    per core, which sweeps and simulations share; turns off threads within LAPACK calls, since JAX calls it for small matrices
    one by one; keeps compiled programs in the user's cache folder; and takes what there is now out of Python's search for garbage.

    Args:
        small_matrices: use few of LLVM's optimizations, and XLA's older CPU code generator if there is one. Programs of the
            theory compile in less than half the time, and run a tenth faster, but language models run a tenth slower.
            Otherwise vectors are as wide as the cores allow, where XLA would stop at 256 bits; language models run a
            twentieth faster so.
        run_once: every program runs once, so XLA leaves out most optimizations, which would take longer than they save.

    Raises:
        InvalidInput: a variable of the environment is no value of JAX's setting of its name.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ["MPLBACKEND"] = "agg"  # no command shows a window, and a notebook's backend need not exist here
    # XLA logs the machine of each cached program as an error. The value 1 is JAX's own, inherited from a parent process.
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    ours = {"xla_cpu_prefer_vector_width": "512"}
    if small_matrices:
        ours = {"xla_cpu_use_fusion_emitters": "false", "xla_cpu_parallel_codegen_split_count": "1"}
        if not _has_accelerator():  # whose programs the same flag would concern, and which need more
            ours["xla_backend_optimization_level"] = "1"
    known = [f"--{name}={value}" for name, value in known_options(ours).items()]
    os.environ["XLA_FLAGS"] = " ".join(
        [*known, os.environ.get("XLA_FLAGS", "")]
    )  # the last one wins, which is the user's
    for name in ("JAX_NUMPY_DTYPE_PROMOTION", "JAX_NUMPY_RANK_PROMOTION"):
        os.environ.pop(name, None)  # settings for finding bugs in a program, under which correct ones fail too
    try:
        import jax
    except ValueError as error:
        if not any(name.startswith("JAX_") and value and value in str(error) for name, value in os.environ.items()):
            raise
        raise InvalidInput(f"JAX cannot read its settings in the environment: {reason_of(error)}") from error

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_default_prng_impl", "threefry2x32")
    jax.config.update("jax_threefry_partitionable", True)
    jax.config.update("jax_random_seed_offset", 0)
    jax.config.update("jax_num_cpu_devices", _usable_cores())
    if run_once:
        jax.config.update("jax_disable_most_optimizations", True)
    gc.freeze()  # mostly modules, which Python would look through again and again while programs are traced
    _keep_compiled_programs()


def missing_device(error: Exception) -> str | None:
    """Sentence on devices that JAX_PLATFORMS asks for and this machine lacks; None if an error has another cause."""
    if not (wanted := os.environ.get("JAX_PLATFORMS")):
        return None
    if "initialize backend" not in str(error):  # JAX says so once, and then takes the devices that there are
        import jax

        try:
            jax.devices()
        except Exception:  # an AssertionError without text, or a RuntimeError
            pass
        else:
            return None
    return f"JAX_PLATFORMS is '{wanted}', but JAX finds no such device here: unset it, or say 'cpu'"


def _has_accelerator() -> bool:
    """Whether JAX has a plugin for one, which it may use."""
    return os.environ.get("JAX_PLATFORMS") != "cpu" and any(map(find_spec, ("jax_plugins", "libtpu")))


def _keep_compiled_programs() -> None:
    """Turn on JAX's compilation cache, in the folder JAX_COMPILATION_CACHE_DIR or else the user's cache folder.

    JAX_ENABLE_COMPILATION_CACHE=0 turns it off. If the folder cannot be read or written, programs are compiled every time.
    """
    import jax
    from platformdirs import user_cache_path

    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = user_cache_path("crossfeed") / "compiled"
        _make_room(folder)
        jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _make_room(folder: Path) -> None:
    """Delete the older half of the kept programs where there are too many."""
    with suppress(OSError):  # another process makes room too, or the folder cannot be written
        programs = list(folder.glob("*-cache"))
        if len(programs) > _MOST_KEPT:
            programs.sort(key=lambda program: program.stat().st_mtime)
            for program in programs[: len(programs) // 2]:
                program.unlink(missing_ok=True)


def _usable_cores() -> int:
    """Number of cores that this process may run on, or of all cores if the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
