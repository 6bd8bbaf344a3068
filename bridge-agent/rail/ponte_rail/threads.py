"""How many threads the libraries may start; to be set before any of them is imported."""

import os

_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


def pin_threads(threads: int) -> None:
    """Threads, not processes: FlexZBoost's joblib would start one process per core (n_jobs=-1), which would outlive a
    killed unit and multiply the threads, so it is held to one."""
    for name in _COUNTS:
        os.environ[name] = str(threads)
    os.environ["NUMEXPR_MAX_THREADS"] = str(threads)
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"
