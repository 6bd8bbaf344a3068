"""How many threads the libraries may start."""

from __future__ import annotations

import os

_AT_ONE = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def pin_threads() -> None:
    """Holds everything to one thread; to be called before numpy and its kin are imported.

    BLAS, because how a matrix product is shared out changes its last bits: FlexZBoost's p(z) would depend on the
    number of threads. joblib, because FlexZBoost asks it for a process per core, which would outlive a killed unit.
    OpenMP, because GNU's keeps a pool of threads that fork does not copy, and a child of a process with a pool (loading
    an XGBoost model makes one) waits for it for ever: it is released in the child.
    """
    for name in _AT_ONE:
        os.environ[name] = "1"


def release_openmp(threads: int) -> None:
    """Lets OpenMP, that is XGBoost, use the task's threads; to be called in a child, before it computes."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=threads, user_api="openmp")
