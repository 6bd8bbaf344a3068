"""The nine numbers per object, all functions of p(z) on the grid, so that a reader of the p(z) finds them again.

* `z_best`    RAIL's zbest: the redshift of least risk (best_redshift.py).
* `z_mode`    the grid point where p(z) is highest (the first of equals).
* `z_mean`    the expectation, sum(z p) / sum(p) over the grid (BPZ's own zmean).
* `z_median`  the 50 % point of qp's cumulative distribution of p(z) on the grid.
* `z_err68_*` its 16 and 84 % points; `z_err95_*` its 2.5 and 97.5 % points.
* `odds`      the share of p(z) within 0.06 (1 + z_mode) of z_mode, summed over the grid points there (BPZ's odds,
              Benitez 2000, ApJ 536, 571, with the width that its code has had since: two thirds of 0.09).

Names and meanings are those of Rubin's DP1 and DP2 `object_photoz` tables (RTN-124, SITCOMTN-154).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ponte_rail.best_redshift import best_redshift
from ponte_rail.photometry import Flag

NAMES = (
    "z_best",
    "z_mode",
    "z_mean",
    "z_median",
    "z_err68_low",
    "z_err68_high",
    "z_err95_low",
    "z_err95_high",
    "odds",
)

ODDS_WIDTH = 0.06
NORM_TOLERANCE = 0.01
LEAST_INSIDE = 0.01
"""p(z) with less than this on the grid is no estimate at all: CMNN says z = 99 when it found no neighbour."""

SECOND_PEAK, VALLEY = 0.3, 0.5
"""Bimodal: a second local maximum at least 0.3 of the highest, with a valley between them below half of it."""

_QUANTILES = {"z_err95_low": 0.025, "z_err68_low": 0.16, "z_median": 0.5, "z_err68_high": 0.84, "z_err95_high": 0.975}

Points = dict[str, NDArray[np.float32]]


def summarise(
    pdf: NDArray[np.float64], grid: NDArray[np.float64], flags: NDArray[np.int32]
) -> tuple[Points, NDArray[np.int32]]:
    """Estimates of (N, K) p(z) values and the completed flags; NaN, never 0, where there is no estimate."""
    flags = flags.copy()
    peak = np.argmax(pdf, axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        inside = np.trapezoid(pdf, grid, axis=1)
        usable = np.isfinite(pdf).all(axis=1) & (pdf >= 0).all(axis=1) & (inside >= LEAST_INSIDE)
    flags[~usable] |= Flag.PDF_UNUSABLE
    flags[usable & (np.abs(inside - 1) > NORM_TOLERANCE)] |= Flag.PDF_NOT_NORMALISED
    flags[usable & ((peak == 0) | (peak == len(grid) - 1))] |= Flag.PEAK_AT_EDGE

    points = {name: np.full(len(pdf), np.nan, np.float32) for name in NAMES}
    rows = np.flatnonzero(usable & ((flags & Flag.NOTHING_DETECTED) == 0))
    if len(rows) == 0:
        return points, flags
    p = pdf[rows]
    flags[rows[_bimodal(p, peak[rows])]] |= Flag.BIMODAL
    points["z_best"][rows] = best_redshift(p, grid)
    points["z_mode"][rows] = grid[peak[rows]]
    points["z_mean"][rows] = (p * grid).sum(axis=1) / p.sum(axis=1)
    mode = grid[peak[rows], None]
    near = np.abs(grid - mode) <= ODDS_WIDTH * (1 + mode)
    points["odds"][rows] = (p * near).sum(axis=1) / p.sum(axis=1)
    for name, values in zip(_QUANTILES, quantiles(p, grid, list(_QUANTILES.values())).T):
        points[name][rows] = values
    return points, flags


def quantiles(p: NDArray[np.float64], grid: NDArray[np.float64], shares: list[float]) -> NDArray[np.float64]:
    """(N, shares), to the bit what qp's interpolated ensembles answer (qp-prob 1.1.4, interp.py), which ask scipy for an
    interpolator of each object: 0.03 ms an object, half of all that GPz took. They normalise twice, so it is done here."""
    cumulative = np.empty_like(p)
    for _ in range(2):
        cumulative[:, 0] = 0.5 * p[:, 0] * (grid[1] - grid[0])
        cumulative[:, 1:] = np.cumsum((grid[1:] - grid[:-1]) * 0.5 * np.add(p[:, 1:], p[:, :-1]), axis=1)
        total = cumulative[:, -1:].copy()
        p = p / total
        cumulative /= total
    return np.stack([np.interp(shares, row, grid) for row in cumulative])


def _bimodal(p: NDArray[np.float64], peak: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Looks from the highest point outwards, to both sides: the running minimum is the valley on the way, and what
    rises from it to twice its height is a second peak, where it is high enough."""
    rows, columns = p.shape
    top = p[np.arange(rows), peak][:, None]
    index = np.arange(columns)
    found = np.zeros(rows, np.bool_)
    for side, order in ((index >= peak[:, None], slice(None)), (index <= peak[:, None], slice(None, None, -1))):
        values = np.where(side, p, np.inf)[:, order]
        valley = np.minimum.accumulate(values, axis=1)
        beyond = np.isfinite(values)
        second = beyond & (values >= SECOND_PEAK * top) & (valley <= VALLEY * values)
        found |= second.any(axis=1)
    return found
