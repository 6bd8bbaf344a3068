"""p(z) in one byte a grid point, as qp packs it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qp.parameterizations.packed_interp.packing_utils import linear_pack_from_rowmax


def pack(pdf: NDArray[np.float64], usable: NDArray[np.bool_]) -> tuple[list[bytes | None], NDArray[np.float32]]:
    """N byte strings of K and N peaks: p(z_k) = peak * byte_k / 255 (qp.packing_utils.linear_unpack_from_rowmax).
    Where p(z) is not `usable` there are None and NaN."""
    packed: list[bytes | None] = [None] * len(pdf)
    peaks = np.full(len(pdf), np.nan, np.float32)
    rows = np.flatnonzero(usable)
    if len(rows) > 0:
        values, top = linear_pack_from_rowmax(pdf[rows])
        peaks[rows] = np.ravel(top)
        for row, each in zip(rows.tolist(), values):
            packed[row] = each.tobytes()
    return packed, peaks
