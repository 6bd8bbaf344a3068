"""Metrics per bin of magnitude and of true redshift: where an algorithm can be trusted, and where it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import qp
from numpy.typing import NDArray
from qp.metrics.concrete_metric_classes import CDELossMetric
from rail.evaluation.metrics.pointestimates import PointBias, PointSigmaIQR, PointSigmaMAD

Floats = NDArray[np.float64]

MIN_OBJECTS = 10
"""Bins with fewer objects say how many, and nothing else: a median of a handful of objects is noise."""
MAGNITUDE_WIDTH = 1.0
REDSHIFT_WIDTH = 0.5


class Objects:
    """What is known of N evaluated objects: (N, K) p(z), and (N,) mode, true redshift, CRPS and outlier or not."""

    def __init__(self, grid: Floats, pdf: Floats, mode: Floats, truth: Floats, crps: Floats, outlier: NDArray[np.bool_]):
        self.grid, self.pdf, self.mode, self.truth, self.crps, self.outlier = grid, pdf, mode, truth, crps, outlier

    def metrics(self, rows: NDArray[np.intp]) -> dict[str, float]:
        mode, truth = self.mode[rows], self.truth[rows]
        ensemble = qp.Ensemble(qp.interp, data={"xvals": self.grid, "yvals": self.pdf[rows]})
        return {
            "bias": float(PointBias(mode, truth).evaluate()),
            "sigma_mad": float(PointSigmaMAD(mode, truth).evaluate()),
            "sigma_iqr": float(PointSigmaIQR(mode, truth).evaluate()),
            "outlier_share_015": float(np.mean(self.outlier[rows])),
            "cde_loss": float(CDELossMetric(eval_grid=self.grid).evaluate(ensemble, truth)),
            "crps_mean": float(np.mean(self.crps[rows])),
        }


def by_magnitude(magnitude: Floats, objects: Objects) -> dict[str, Any]:
    """(N,) AB magnitudes in the reference band, NaN where there is none; whole magnitudes are the edges."""
    return _binned(magnitude, MAGNITUDE_WIDTH, objects)


def by_redshift(objects: Objects) -> dict[str, Any]:
    return _binned(objects.truth, REDSHIFT_WIDTH, objects)


def _binned(value: Floats, width: float, objects: Objects) -> dict[str, Any]:
    """Bins are closed on the left, and the last edge lies above every value. Rows without a value are in no bin."""
    known = np.flatnonzero(np.isfinite(value))
    if len(known) == 0:
        return {"edges": [0.0, width], "rows": [0], "metrics": [None]}
    cell = np.floor(value[known] / width).astype(int)
    rows = [known[cell == index] for index in range(cell.min(), cell.max() + 1)]
    return {
        "edges": [index * width for index in range(cell.min(), cell.max() + 2)],
        "rows": [len(each) for each in rows],
        "metrics": [objects.metrics(each) if len(each) >= MIN_OBJECTS else None for each in rows],
    }
