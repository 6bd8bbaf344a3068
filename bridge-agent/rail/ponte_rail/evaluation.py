"""How good p(z), as delivered on the grid, is on the held-out share: RAIL's and qp's own metrics where they exist.

`evaluation.json` is described by core/evaluation.ts and schemas/evaluation.schema.json.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import qp
from numpy.typing import NDArray
from qp.metrics.concrete_metric_classes import BrierMetric, CDELossMetric
from qp.metrics.pit import PIT
from rail.evaluation.metrics.pointestimates import PointBias, PointOutlierRate, PointSigmaIQR, PointSigmaMAD

from ponte_rail.algorithm import Algorithm
from ponte_rail.binned import Objects, by_magnitude, by_redshift
from ponte_rail.failures import WorkerError
from ponte_rail.summaries import Sample, summaries, tomography

Floats = NDArray[np.float64]

OUTLIER = 0.15
"""|z - z_true| / (1 + z_true) above this is an outlier: the fixed threshold most surveys quote (Hildebrandt et al.
2010, A&A 523, A31). RAIL's own, max(0.06, 3 sigma_IQR), moves with the algorithm."""

PIT_BINS = 20
NZ_BIN_WIDTH = 0.1


def evaluate(
    algorithm: Algorithm,
    grid: Floats,
    pdf: Floats,
    estimated: NDArray[np.bool_],
    redshift: Floats,
    magnitude: Floats,
) -> dict[str, Any]:
    """The report on (N, K) p(z) values against (N,) true redshifts; rows without an estimate are counted, not used.

    `magnitude` is (N,), AB, in the reference band, NaN where it was not measured.

    Raises WorkerError `NOTHING_TO_EVALUATE`.
    """
    if not estimated.any():
        message = f"none of the {len(pdf)} held-out objects got an estimate from {algorithm.name}"
        raise WorkerError("NOTHING_TO_EVALUATE", "science", message)
    pdf, truth = pdf[estimated], redshift[estimated]
    ensemble = qp.Ensemble(qp.interp, data={"xvals": grid, "yvals": pdf})
    mode = grid[np.argmax(pdf, axis=1)]
    pit = PIT(ensemble, truth)
    scores, outlier = crps(ensemble.cdf(grid), grid, truth), np.abs(mode - truth) / (1 + truth) > OUTLIER
    objects = Objects(grid, pdf, mode, truth, scores, outlier)
    step = (grid[-1] - grid[0]) / (len(grid) - 1)
    edges = np.linspace(grid[0], grid[-1], round((grid[-1] - grid[0]) / NZ_BIN_WIDTH) + 1)
    sample = Sample(ensemble, grid, mode, truth, edges)
    optional = {"summaries": summaries(sample), "tomography": tomography(sample)}
    return {
        "version": 1,
        "algorithm": algorithm.name,
        "configurationDigest": algorithm.digest,
        "rows": len(estimated),
        "rowsWithoutEstimate": int((~estimated).sum()),
        "pointEstimate": "z_mode",
        "metrics": {
            "bias": float(PointBias(mode, truth).evaluate()),
            "sigma_mad": float(PointSigmaMAD(mode, truth).evaluate()),
            "sigma_iqr": float(PointSigmaIQR(mode, truth).evaluate()),
            "outlier_rate_rail": float(PointOutlierRate(mode, truth).evaluate()),
            "outlier_share_015": float(np.mean(outlier)),
            "cde_loss": float(CDELossMetric(eval_grid=grid).evaluate(ensemble, truth)),
            "brier": float(BrierMetric((grid[0], grid[-1]), step).evaluate(ensemble, truth)),
            "pit_ks": float(pit.evaluate_PIT_KS().statistic),
            "pit_cvm": float(pit.evaluate_PIT_CvM().statistic),
            "pit_ad": _anderson_darling(pit),
            "pit_outlier_rate": float(pit.evaluate_PIT_outlier_rate()),
            "crps_mean": float(np.mean(scores)),
        },
        "bins": {"magnitude": by_magnitude(magnitude[estimated], objects), "redshift": by_redshift(objects)},
        "pit": _histogram(np.clip(pit.pit_samps, 0, 1), np.linspace(0, 1, PIT_BINS + 1)),
        "nz": {
            "edges": edges.tolist(),
            "estimated": np.diff(ensemble.cdf(edges).sum(axis=0)).tolist(),
            "true": np.histogram(truth, edges)[0].tolist(),
            "trueOutside": int(((truth < edges[0]) | (truth > edges[-1])).sum()),
        },
        **{name: each for name, each in optional.items() if each is not None},
    }


def crps(cdf: Floats, grid: Floats, truth: Floats) -> Floats:
    """Continuous ranked probability score, in units of redshift (Gneiting & Raftery 2007, JASA 102, 359): the integral
    of (F(x) - [x >= z])^2 for each of N objects. Neither RAIL nor qp has it.

    `cdf` is (N, K). F is taken as linear between grid points, as in qp, so that the integral is exact: over a stretch
    of length h on which a function runs linearly from a to b, its square integrates to h (a^2 + a b + b^2) / 3.
    """
    width = np.diff(grid)
    below = _cumulated(width * _mean_square(cdf[:, :-1], cdf[:, 1:]))
    above = _cumulated(width * _mean_square(1 - cdf[:, :-1], 1 - cdf[:, 1:]))
    z = np.clip(truth, grid[0], grid[-1])
    cell = np.clip(np.searchsorted(grid, z, side="right") - 1, 0, len(width) - 1)
    row = np.arange(len(truth))
    left, right, step = cdf[row, cell], cdf[row, cell + 1], z - grid[cell]
    at_truth = left + (right - left) * step / width[cell]
    until = below[row, cell] + step * _mean_square(left, at_truth)
    after = above[:, -1] - above[row, cell + 1] + (width[cell] - step) * _mean_square(1 - at_truth, 1 - right)
    # Beyond the grid F is 0 or 1, so that each unit of redshift costs one unit.
    return until + after + np.abs(truth - z)


def _anderson_darling(pit: PIT) -> float | None:
    """None when fewer than two PIT values lie in [0, 1], which are all that qp's statistic looks at."""
    inside = (pit.pit_samps >= 0) & (pit.pit_samps <= 1)
    return float(pit.evaluate_PIT_anderson_ksamp().statistic) if inside.sum() > 1 else None


def _mean_square(a: Floats, b: Floats) -> Floats:
    return (a * a + a * b + b * b) / 3


def _cumulated(cells: Floats) -> Floats:
    return np.concatenate([np.zeros((len(cells), 1)), np.cumsum(cells, axis=1)], axis=1)


def _histogram(values: Floats, edges: Floats) -> dict[str, list[float]]:
    return {"edges": edges.tolist(), "counts": np.histogram(values, edges)[0].tolist()}
