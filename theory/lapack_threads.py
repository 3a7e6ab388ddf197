"""A guard against crashes of batched LAPACK calls on hosts with many cores."""

import os
import sys
import warnings

_MANY_CORES = 64


def guard_lapack() -> None:
    """On a host with many cores, let the OpenBLAS that JAX calls work with one thread.

    JAX spreads a batch of matrices over all cores, and OpenBLAS would start as many threads again within each of them,
    which corrupts the heap: seen with 128 and 256 cores, not with 32 (jax issue 39292). JAX takes OpenBLAS from SciPy,
    which reads the number of threads when it is first imported. So SciPy is imported here with one thread; NumPy's own
    OpenBLAS is not affected. Where OPENBLAS_NUM_THREADS is set, or the cores are fewer, nothing happens.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < _MANY_CORES or "OPENBLAS_NUM_THREADS" in os.environ:
        return
    if "scipy.linalg" in sys.modules:
        warnings.warn(
            f"batched linear algebra may crash with {cores} cores: set OPENBLAS_NUM_THREADS=1, or import crossfeed before SciPy",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    import numpy as _  # reads the number of threads for itself

    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        import scipy.linalg as _  # noqa: F401
    finally:
        del os.environ["OPENBLAS_NUM_THREADS"]
