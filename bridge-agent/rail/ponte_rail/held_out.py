"""Which rows of the training set `inform` uses and which `validate` does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ponte_rail.algorithm import Algorithm
from ponte_rail.failures import WorkerError
from ponte_rail.photometry import Photometry
from ponte_rail.task import HeldOut


def split(training: Photometry, held_out: HeldOut) -> tuple[Photometry, Photometry]:
    """(kept, held out), both sorted by objectId.

    The rows are sorted by objectId, permuted by numpy's Generator(PCG64(seed)), and the first floor(n * fraction) of
    the permutation, at least 1 and at most n - 1, are held out: the same rows whatever the order of the file, and the
    same rows for every algorithm.

    Raises WorkerError `TRAINING_TOO_SMALL` or `TRAINING_DUPLICATE_IDS`.
    """
    order = np.argsort(training.object_id, kind="stable")
    ids = training.object_id[order]
    if len(ids) < 2:
        raise WorkerError("TRAINING_TOO_SMALL", "science", f"the training set has {len(ids)} rows, too few to split")
    repeated = ids[1:][ids[1:] == ids[:-1]]
    if len(repeated) > 0:
        message = f"the training set has the objectId {repeated[0]} more than once ({len(repeated)} repeats)"
        raise WorkerError("TRAINING_DUPLICATE_IDS", "science", f"{message}. Keep one redshift of each object.")
    count = min(max(int(len(ids) * held_out.fraction), 1), len(ids) - 1)
    permutation = np.random.Generator(np.random.PCG64(held_out.seed)).permutation(len(ids))
    chosen, rest = np.sort(permutation[:count]), np.sort(permutation[count:])
    return training.take(order[rest]), training.take(order[chosen])


def with_redshift(sample: Photometry) -> Photometry:
    """Without the rows that have no redshift to learn from or to compare with."""
    redshift = _redshift(sample)
    return sample.take(_rows(np.isfinite(redshift) & (redshift >= 0)))


def inside_grid(sample: Photometry, algorithm: Algorithm) -> Photometry:
    """Without the rows whose redshift no p(z) on the grid could express."""
    redshift = _redshift(sample)
    return sample.take(_rows((redshift >= algorithm.z_min) & (redshift <= algorithm.z_max)))


def _redshift(sample: Photometry) -> NDArray[np.floating]:
    assert sample.redshift is not None, "a training set is read with its redshifts"
    return sample.redshift


def _rows(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    return np.flatnonzero(mask)
