"""N(z) of the held-out share as RAIL's summarizers make it, of all objects and per tomographic bin."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import qp
from numpy.typing import NDArray
from rail.estimation.algos.equal_count import EqualCountClassifier
from rail.estimation.algos.naive_stack import NaiveStackSummarizer
from rail.estimation.algos.point_est_hist import PointEstHistSummarizer
from rail.estimation.algos.uniform_binning import UniformBinningClassifier
from rail.estimation.algos.var_inf import VarInfStackSummarizer

from ponte_rail.binned import MIN_OBJECTS

Floats = NDArray[np.float64]

SAMPLES = 100
"""Bootstraps (of VarInf: draws from its Dirichlet distribution) behind each spread. RAIL's default of 1000 gives the
same spread to a tenth of itself."""
SEED = 87
"""RAIL's default, for every stage."""
MOST_VAR_INF = 10_000
"""Objects that VarInf looks at, evenly taken: it holds three matrices of all objects by all grid points."""

TOMOGRAPHIC_BINS = 5
UNIFORM_FROM, UNIFORM_TO = 0.2, 1.2
"""The lens bins of LSST's first year (DESC Science Requirements Document v1, arXiv:1809.01669, appendix D): five, 0.2
wide. Its source bins are five of equal number."""


class Sample:
    """N evaluated objects: p(z) on the grid (N, K), z_mode and true redshift (N,), and the edges that N(z) is told in."""

    def __init__(self, grid: Floats, pdf: Floats, mode: Floats, truth: Floats, edges: Floats) -> None:
        self.grid, self.pdf, self.mode, self.truth, self.edges = grid, pdf, mode, truth, edges

    def take(self, rows: NDArray[np.intp]) -> Sample:
        return Sample(self.grid, self.pdf[rows], self.mode[rows], self.truth[rows], self.edges)

    def ensemble(self) -> qp.Ensemble:
        made = qp.Ensemble(qp.interp, data={"xvals": self.grid, "yvals": self.pdf})
        made.set_ancil({"zmode": self.mode})
        return made


def summaries(sample: Sample) -> dict[str, Any]:
    """`summaries` of core/evaluation.ts."""
    step = -(-len(sample.mode) // MOST_VAR_INF)
    return {
        "samples": SAMPLES,
        "seed": SEED,
        "naiveStack": _summary(sample, *naive_stack(sample)),
        "pointEstHist": _summary(sample, *point_est_hist(sample)),
        "varInf": _summary(thinned := sample.take(np.arange(0, len(sample.mode), step)), *var_inf(thinned)),
    }


def tomography(sample: Sample) -> dict[str, Any]:
    """`tomography` of core/evaluation.ts: objects are assigned by z_mode."""
    uniform = np.linspace(UNIFORM_FROM, UNIFORM_TO, TOMOGRAPHIC_BINS + 1)
    edges = [(float(a), float(b)) for a, b in zip(uniform[:-1], uniform[1:])]
    return {
        "uniform": _binning(sample, uniform_bins(sample), edges),
        "equalCount": _binning(sample, equal_count_bins(sample), None),
    }


def naive_stack(sample: Sample) -> tuple[qp.Ensemble, qp.Ensemble]:
    """N(z) and its bootstraps. RAIL's grid has a point more than `nzbins`: this is ours."""
    return _summarize(NaiveStackSummarizer, sample, zmin=sample.grid[0], zmax=sample.grid[-1], nzbins=len(sample.grid) - 1)


def point_est_hist(sample: Sample) -> tuple[qp.Ensemble, qp.Ensemble]:
    """N(z) and its bootstraps. z_mode lies on the grid, so the histogram's bins have the grid's points in their middle;
    with the points as edges the mean would be half a bin too high."""
    grid = sample.grid
    half = (grid[1] - grid[0]) / 2
    return _summarize(PointEstHistSummarizer, sample, zmin=grid[0] - half, zmax=grid[-1] + half, nzbins=len(grid))


def var_inf(sample: Sample) -> tuple[qp.Ensemble, qp.Ensemble]:
    """N(z) and draws from its Dirichlet distribution, after RAIL's default of 100 iterations."""
    return _summarize(VarInfStackSummarizer, sample, zmin=sample.grid[0], zmax=sample.grid[-1], nzbins=len(sample.grid))


def uniform_bins(sample: Sample) -> NDArray[np.intp]:
    """(N,) number of the bin, -99 for none. By `zmin` and `zmax`: with `zbin_edges` RAIL 2.0.11 keeps what lies above the
    last edge as one bin more, unless `n_tom_bins` is told too."""
    return _classify(UniformBinningClassifier, sample, zmin=UNIFORM_FROM, zmax=UNIFORM_TO)


def equal_count_bins(sample: Sample) -> NDArray[np.intp]:
    """(N,) number of the bin. Objects of one z_mode may be in two."""
    return _classify(EqualCountClassifier, sample, zmin=sample.grid[0], zmax=sample.grid[-1])


def _summarize(stage_class: Any, sample: Sample, **grid: Any) -> tuple[qp.Ensemble, qp.Ensemble]:
    settings = {name: value if isinstance(value, int) else float(value) for name, value in grid.items()}
    common = {"name": "ponte_summary", "hdf5_groupname": "", "seed": SEED, "n_samples": SAMPLES}
    stage = stage_class.make_stage(**common, **settings)
    stage.set_data("input", sample.ensemble())
    stage.run()
    return stage.get_handle("single_NZ").data, stage.get_handle("output").data


def _classify(stage_class: Any, sample: Sample, zmin: float, zmax: float) -> NDArray[np.intp]:
    with tempfile.TemporaryDirectory() as folder:  # UniformBinning writes a file, whatever is asked
        place = {"output": str(Path(folder) / "bins.hdf5"), "n_tom_bins": TOMOGRAPHIC_BINS}
        stage = stage_class.make_stage(name="ponte_bins", zmin=float(zmin), zmax=float(zmax), **place)
        stage.set_data("input", sample.ensemble())
        stage.run()
        return np.asarray(stage.get_handle("output").data["tomo_bin_index"]).astype(np.intp)


def _summary(sample: Sample, nz: qp.Ensemble, bootstraps: qp.Ensemble) -> dict[str, Any]:
    objects, edges = len(sample.truth), sample.edges
    estimated = np.diff(np.ravel(nz.cdf(edges))) * objects
    true = np.histogram(sample.truth, edges)[0]
    mean = float(_means(nz, sample.grid)[0])
    return {
        "objects": objects,
        "estimated": estimated.tolist(),
        "spread": (np.diff(bootstraps.cdf(edges), axis=1) * objects).std(axis=0).tolist(),
        "meanRedshift": mean,
        "meanRedshiftSpread": float(_means(bootstraps, sample.grid).std()),
        "meanShift": mean - float(sample.truth.mean()),
        "l1": float(np.abs(estimated - true).sum() / objects),
    }


def _means(ensemble: qp.Ensemble, grid: Floats) -> Floats:
    """(M,) mean redshifts on the grid."""
    density = np.atleast_2d(ensemble.pdf(grid))
    return (density * grid).sum(axis=1) / density.sum(axis=1)


def _binning(sample: Sample, number: NDArray[np.intp], edges: list[tuple[float, float]] | None) -> dict[str, Any]:
    members = [np.flatnonzero(number == index) for index in range(TOMOGRAPHIC_BINS)]
    return {
        "unassigned": int(len(number) - sum(len(each) for each in members)),
        "bins": [_tomographic_bin(sample, rows, edges[index] if edges else None) for index, rows in enumerate(members)],
    }


def _tomographic_bin(sample: Sample, rows: NDArray[np.intp], edges: tuple[float, float] | None) -> dict[str, Any] | None:
    if len(rows) < MIN_OBJECTS:
        return None
    own = sample.take(rows)
    low, high = edges or (float(own.mode.min()), float(own.mode.max()))
    return {
        "from": low,
        "to": high,
        "summary": _summary(own, *naive_stack(own)),
        "true": np.histogram(own.truth, own.edges)[0].tolist(),
        "trueMeanRedshift": float(own.truth.mean()),
        "trueInside": float(np.mean((own.truth >= low) & (own.truth <= high))),
    }
