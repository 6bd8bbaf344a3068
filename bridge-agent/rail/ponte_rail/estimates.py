"""The eight numbers per object, all functions of p(z) on the grid, so that a reader of the p(z) finds them again.

* `z_best`    RAIL's zbest: the redshift of least risk (best_redshift.py).
* `z_mode`    the grid point where p(z) is highest (the first of equals).
* `z_mean`    the expectation, sum(z p) / sum(p) over the grid (BPZ's own zmean).
* `z_median`  the 50 % point of qp's cumulative distribution of p(z) on the grid.
* `z_err68_*` its 16 and 84 % points; `z_err95_*` its 2.5 and 97.5 % points.

Names and meanings are those of Rubin's DP1 and DP2 `object_photoz` tables (RTN-124, SITCOMTN-154).
"""

from __future__ import annotations

import numpy as np
import qp
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
)

_QUANTILES = {"z_err95_low": 0.025, "z_err68_low": 0.16, "z_median": 0.5, "z_err68_high": 0.84, "z_err95_high": 0.975}

Points = dict[str, NDArray[np.float32]]


def summarise(
    pdf: NDArray[np.float64], grid: NDArray[np.float64], flags: NDArray[np.int32]
) -> tuple[Points, NDArray[np.int32]]:
    """Estimates of (N, K) p(z) values and the completed flags; NaN, never 0, where there is no estimate."""
    flags = flags.copy()
    peak = np.argmax(pdf, axis=1)
    usable = np.isfinite(pdf).all(axis=1) & (pdf >= 0).all(axis=1) & (pdf > 0).any(axis=1)
    flags[~usable] |= Flag.PDF_UNUSABLE
    flags[usable & ((peak == 0) | (peak == len(grid) - 1))] |= Flag.PEAK_AT_EDGE

    points = {name: np.full(len(pdf), np.nan, np.float32) for name in NAMES}
    rows = np.flatnonzero(usable & ((flags & Flag.NOTHING_DETECTED) == 0))
    if len(rows) == 0:
        return points, flags
    p = pdf[rows]
    points["z_best"][rows] = best_redshift(p, grid)
    points["z_mode"][rows] = grid[peak[rows]]
    points["z_mean"][rows] = (p * grid).sum(axis=1) / p.sum(axis=1)
    quantiles = qp.Ensemble(qp.interp, data={"xvals": grid, "yvals": p}).ppf(list(_QUANTILES.values()))
    for name, values in zip(_QUANTILES, np.asarray(quantiles).reshape(len(rows), len(_QUANTILES)).T):
        points[name][rows] = values
    return points, flags
