"""p(z) in one byte a grid point, as qp unpacks it: p(z_k) = peak * byte_k / 255 (linear_unpack_from_rowmax).

qp itself rounds every point to the nearest byte, so that a tail below 1/510 of the peak is lost whole, in every object
alike, and the stacked N(z) with it. Here the remainder is carried on along the grid: with v_k = 255 p(z_k) / peak,

    byte_k = floor(v_0 + ... + v_k + phase) - floor(v_0 + ... + v_(k-1) + phase),    0 <= phase < 1

(systematic sampling: Madow & Madow 1944, Ann. Math. Stat. 15, 1). Each byte is v_k rounded up or down, the sum over
any interval is right within one step, and the mean over evenly spread phases is v_k itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRACTION_BITS = 40
"""Sums are whole numbers of 2^-40 of a byte, so that they are exact and equal on every node: 301 * 255 * 2^40 is below
2^57, and 255 itself, at the peak, is a whole number of them."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: multiples of it, modulo 2^64, lie as evenly as any (Fibonacci hashing: Knuth, The Art of
Computer Programming 3, 6.4)."""

ROWS_AT_A_TIME = 256
"""As in best_redshift.py."""


def pack(
    pdf: NDArray[np.float64], usable: NDArray[np.bool_], object_id: NDArray[np.int64]
) -> tuple[list[bytes | None], NDArray[np.float32]]:
    """N byte strings of K and N peaks for (N, K) values of p(z). Where p(z) is not `usable` there are None and NaN."""
    packed: list[bytes | None] = [None] * len(pdf)
    peaks = np.full(len(pdf), np.nan, np.float32)
    found = np.flatnonzero(usable)
    for start in range(0, len(found), ROWS_AT_A_TIME):
        rows = found[start : start + ROWS_AT_A_TIME]
        values = pdf[rows]
        top = values.max(axis=1)
        peaks[rows] = top
        for row, each in zip(rows.tolist(), _bytes(values / top[:, None], phases(object_id[rows]))):
            packed[row] = each.tobytes()
    return packed, peaks


def phases(object_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """In units of 2^-40, of the id alone: the same bytes whatever the slice, the order or the attempt."""
    return (object_id.view(np.uint64) * GOLDEN >> np.uint64(64 - FRACTION_BITS)).astype(np.int64)


def _bytes(share: NDArray[np.float64], phase: NDArray[np.int64]) -> NDArray[np.uint8]:
    """`share` is p(z) over its peak: exactly 1 there, and nowhere more."""
    steps = np.rint(share * (255 << FRACTION_BITS)).astype(np.int64)
    steps[:, 0] += phase
    whole = np.cumsum(steps, axis=1, out=steps) >> FRACTION_BITS
    return np.diff(whole, axis=1, prepend=0).astype(np.uint8)
