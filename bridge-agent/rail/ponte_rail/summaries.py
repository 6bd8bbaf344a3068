"""Redshift distributions of the held-out share, whole and in tomographic bins, by RAIL's own summarizers and classifiers.

Traps of pz-rail-base 2.0.11, and how they are avoided:
- PointEstHist fails on point estimates of shape (N, 1): ours are (N,). PointEstHistMasked draws its bootstraps from all
  objects whatever the bin: it is not used.
- UniformBinning keeps what lies above the last edge as one bin more unless `n_tom_bins` says how many edges there are.
- A masked summarizer that has no bins stacks everything without a word: the objects of each bin are counted again.
- NaiveStack fails on a single object, and the bootstraps of a few may be empty: below MIN_OBJECTS nothing is summarized.
- VarInfStack's summarize() returns nothing: its outputs are read from the stage.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import qp
from numpy.typing import NDArray
from rail.estimation.algos.equal_count import EqualCountClassifier
from rail.estimation.algos.naive_stack import NaiveStackMaskedSummarizer, NaiveStackSummarizer
from rail.estimation.algos.point_est_hist import PointEstHistSummarizer
from rail.estimation.algos.uniform_binning import UniformBinningClassifier
from rail.estimation.algos.var_inf import VarInfStackSummarizer

from ponte_rail.binned import MIN_OBJECTS

Floats = NDArray[np.float64]

SAMPLES = 20
"""Bootstraps, or draws for var inference: enough for a spread good to about a sixth; RAIL's own default is 1000."""
SEED = 87
"""RAIL's default."""
ITERATIONS = 20
"""Of var inference; RAIL's default is 100. Each costs an exponential per point of each p(z). However many: RAIL's flat
prior weighs as much as one object per grid point, which pulls the mean of a small sample towards the grid's middle."""
BINS = 5
UNIFORM_EDGES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
"""The lens bins of LSST's first year in DESC's science requirements (arXiv:1809.01669)."""


class Sample:
    """N evaluated objects: their p(z) on a grid of K, (N,) modes, which are grid points, and (N,) true redshifts.

    `edges` are those of the bins in which distributions are compared.
    """

    def __init__(self, ensemble: qp.Ensemble, grid: Floats, mode: Floats, truth: Floats, edges: Floats):
        self.ensemble, self.grid, self.mode, self.truth, self.edges = ensemble, grid, mode, truth, edges
        ensemble.set_ancil({"zmode": mode})

    def __len__(self) -> int:
        return len(self.truth)

    def summarize(self, stage_class: Any, bins: dict[str, Any] | None = None, **config: Any) -> tuple[Any, Any]:
        """The stage's N(z) and its bootstraps."""
        common = {"seed": SEED, "n_samples": SAMPLES, "chunk_size": len(self)}
        stage = self._stage(stage_class, **common, **config)
        stage.summarize(self.ensemble, *([] if bins is None else [bins]))
        return stage.get_handle("single_NZ").data, stage.get_handle("output").data

    def classify(self, stage_class: Any, **config: Any) -> NDArray[np.intp]:
        """(N,) tomographic bins from 0 on; negative for none."""
        stage = self._stage(stage_class, n_tom_bins=BINS, chunk_size=len(self), **config)
        return np.asarray(stage.classify(self.ensemble).data["tomo_bin_index"]).astype(np.intp)

    def stack_config(self) -> dict[str, Any]:
        """NaiveStack has a point more than `nzbins`: this puts its points on the grid."""
        return {"zmin": self.grid[0], "zmax": self.grid[-1], "nzbins": len(self.grid) - 1}

    def _stage(self, stage_class: Any, **config: Any) -> Any:
        return stage_class.make_stage(name=f"ponte_{stage_class.name}", output_mode="return", **config)


def summaries(sample: Sample) -> dict[str, Any] | None:
    """N(z) by each summarizer; None for fewer than MIN_OBJECTS objects."""
    if len(sample) < MIN_OBJECTS:
        return None
    grid, half = sample.grid, (sample.grid[-1] - sample.grid[0]) / (len(sample.grid) - 1) / 2
    made = {
        "naive_stack": sample.summarize(NaiveStackSummarizer, **sample.stack_config()),
        # Modes are grid points, so the bins are centred on them: the mean is that of the modes.
        "point_estimate_histogram": sample.summarize(
            PointEstHistSummarizer, zmin=grid[0] - half, zmax=grid[-1] + half, nzbins=len(grid)
        ),
        "var_inference": sample.summarize(
            VarInfStackSummarizer, zmin=grid[0], zmax=grid[-1], nzbins=len(grid), n_iter=ITERATIONS
        ),
    }
    everything = np.ones(len(sample), bool)
    return {
        "edges": sample.edges.tolist(),
        "samples": SAMPLES,
        "meanTrue": float(sample.truth.mean()),
        "summarizers": {name: _compared(sample, everything, *each) for name, each in made.items()},
    }


def tomography(sample: Sample) -> dict[str, Any] | None:
    """Bins by the mode, uniform and of equal count; None for fewer than MIN_OBJECTS objects."""
    if len(sample) < MIN_OBJECTS:
        return None
    edges = _on_grid(sample.grid)
    uniform = sample.classify(UniformBinningClassifier, zbin_edges=edges)
    # Modes that are equal may lie on both sides of an edge: RAIL counts objects in their sorted order.
    equal = sample.classify(EqualCountClassifier)
    bounds = [float(sample.mode[equal >= index].min()) for index in range(BINS)]
    return {
        "nzEdges": sample.edges.tolist(),
        "uniform": _binning(sample, edges, uniform),
        "equal_count": _binning(sample, [*bounds, float(sample.mode.max())], equal),
    }


def _on_grid(grid: Floats) -> list[float]:
    """The uniform edges as the grid's own doubles, for modes are compared with them; equal parts of a shorter grid."""
    wanted = np.array(UNIFORM_EDGES)
    if grid[0] > wanted[0] or grid[-1] < wanted[-1]:
        wanted = np.linspace(grid[0], grid[-1], BINS + 1)
    return [float(grid[np.argmin(np.abs(grid - edge))]) for edge in wanted]


def _binning(sample: Sample, edges: list[float], assigned: NDArray[np.intp]) -> dict[str, Any]:
    bins = []
    for index in range(BINS):
        rows = assigned == index
        low, high, truth = edges[index], edges[index + 1], sample.truth[rows]
        inside = (truth >= low) & (truth < high)
        bins.append(
            {
                "rows": int(rows.sum()),
                "true": np.histogram(truth, sample.edges)[0].tolist(),
                "meanTrue": float(truth.mean()) if rows.any() else None,
                "inBin": float(inside.mean()) if rows.any() else None,
                "naive_stack": _stacked(sample, assigned, index),
            }
        )
    return {"edges": edges, "rowsOutside": int((assigned < 0).sum()), "bins": bins}


def _stacked(sample: Sample, assigned: NDArray[np.intp], index: int) -> dict[str, Any] | None:
    rows = assigned == index
    if rows.sum() < MIN_OBJECTS:
        return None
    bins = {"tomo_bin_index": assigned}
    single, samples = sample.summarize(NaiveStackMaskedSummarizer, bins, selected_bin=index, **sample.stack_config())
    stacked = int(np.ravel(single.ancil["n_objects"])[0])
    if stacked != rows.sum():
        raise RuntimeError(f"RAIL stacked {stacked} objects for bin {index}, which has {int(rows.sum())}")
    return _compared(sample, rows, single, samples)


def _compared(sample: Sample, rows: NDArray[np.bool_], single: qp.Ensemble, samples: qp.Ensemble) -> dict[str, Any]:
    """An N(z) and its bootstraps against the true redshifts of `rows`, on the sample's bins."""
    truth, count = sample.truth[rows], int(rows.sum())
    estimated = count * _shares(single, sample.edges)[0]
    spread = count * _shares(samples, sample.edges).std(axis=0, ddof=1)
    true = np.histogram(truth, sample.edges)[0]
    mean, means = float(_means(single)[0]), _means(samples)
    return {
        "estimated": estimated.tolist(),
        "spread": spread.tolist(),
        "mean": mean,
        "meanSpread": float(means.std(ddof=1)),
        "meanShift": mean - float(truth.mean()),
        "l1": float((np.abs(estimated - true).sum() + count - true.sum()) / count),
    }


def _shares(ensemble: qp.Ensemble, edges: Floats) -> Floats:
    """(M, B) shares of M distributions in B bins; qp leaves out the first dimension of a single one."""
    return np.diff(np.atleast_2d(ensemble.cdf(edges)), axis=1)


def _means(ensemble: qp.Ensemble) -> Floats:
    """(M,) means: of a histogram with each bin at its middle, of a table by the trapezoidal rule."""
    if ensemble.gen_class is qp.hist_gen:
        edges = np.ravel(ensemble.metadata["bins"])
        return _shares(ensemble, edges) @ ((edges[:-1] + edges[1:]) / 2)
    z, values = np.ravel(ensemble.metadata["xvals"]), np.atleast_2d(ensemble.objdata["yvals"])
    return np.trapezoid(values * z, z, axis=-1) / np.trapezoid(values, z, axis=-1)
