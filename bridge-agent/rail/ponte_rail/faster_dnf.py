"""DNF's own arithmetic in fewer steps (pz-rail-dnf 2.0.4, numpy 2.4.6, scikit-learn 1.9.1), see faster.py.

RAIL's copies of 4,000 training objects for every object, and a tree that is asked for nearly half of its points, are
what is saved, with fits of neighbours that the fit before had left as they were. The order of the 4,000 is kept,
because it decides between directions that are equally near: none in doubles, many in floats (ADR 40).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import _umath_linalg
from numpy.typing import NDArray
from rail.estimation.algos import dnf
from scipy.spatial.distance import cdist

PRESELECTED, NEIGHBOURS, ROUNDS = 4000, 80, 4
"""Nearest by distance, of those nearest by direction, and rounds of the fit: written into DNFEstimator."""

_MOST_COMPARED = 100_000
"""Training objects up to which comparing all of them beats RAIL's tree."""
_BLOCK = 16
"""Objects compared at a time, so that their distances stay in the processor's cache."""
_NEAR = 1e-12
"""Relative difference of squared distances below which the tree may have kept either."""


def covers(stage: Any) -> bool:
    """DNF with angles, on the tree of Euclidean distances that RAIL's informer leaves."""
    tree = stage.clf._fit_method == "kd_tree" and stage.clf.effective_metric_ == "euclidean"
    substitutes = not np.isnan(stage.config.nondetect_val)
    return tree and substitutes and stage.metric == "ANF" and len(stage.train_mag) > NEIGHBOURS


class Dnf:
    """DNFEstimator._process_chunk with the training set laid out band by band."""

    def __init__(self, stage: Any) -> None:
        self._stage, self._tree = stage, stage.clf
        self._z = stage.truez
        self._norm = stage.Tnorm
        self._by_band = np.ascontiguousarray(stage.train_mag.T)
        self._doubles = np.ascontiguousarray(stage.train_mag, dtype=np.float64)
        self._with_offset = np.hstack([stage.train_mag, np.ones((len(stage.train_mag), 1))])
        self._kept = min(PRESELECTED, len(stage.train_mag))

    def process_chunk(self, start: int, end: int, columns: dict[str, NDArray[Any]], first: bool) -> None:
        import qp

        stage = self._stage
        config = stage.config
        for band, error in zip(config.bands, config.err_bands):
            missing = np.isclose(columns[band], config.nondetect_val)
            columns[band][missing] = config.mag_limits[band]
            columns[error][missing] = 1.0
        magnitude, error = dnf.manage_nan(*dnf._computemagdata(columns, config.bands, config.err_bands))
        neighbours, angle, de1 = self._neighbours(magnitude)
        photoz, coefficients, squares, used = self._fit(neighbours[:, : _most_kept(angle)], magnitude)
        of_magnitudes = np.sqrt(np.sum((coefficients[:, :-1] * error) ** 2, axis=1))
        of_fit = np.sqrt(squares / (used - magnitude.shape[1]))
        photozerr = np.sqrt(of_magnitudes**2 + of_fit**2)
        grid = np.linspace(config.zmin, config.zmax, config.nzbins)
        pdf = dnf.compute_pdfs_fit(photoz, photozerr, grid)
        ensemble = qp.Ensemble(qp.interp, data={"xvals": grid, "yvals": pdf})
        ensemble.set_ancil(
            {
                "DNF_Z": photoz,
                "photozerr": photozerr,
                "photozerr_param": of_magnitudes,
                "photozerr_fit": of_fit,
                "DNF_ZN": self._z[neighbours[:, 0]].astype(np.float64),
                "nneighbors": used,
                "de1": de1,
                "d1": angle[:, 0],
                "id1": neighbours[:, 0].astype(np.int32),
            }
        )
        stage._do_chunk_output(ensemble, start, end, first, data=columns)

    def _neighbours(self, magnitude: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """(N, 80) training objects by angle, nearest first, with their angles, and (N,) distances of the nearest one, as
        preselection() and metric_computation()."""
        rows, norm = len(magnitude), np.linalg.norm(magnitude, axis=1)
        neighbours = np.empty((rows, NEIGHBOURS), np.intp)
        angles, closest = np.empty(neighbours.shape), np.empty(rows)
        for first in range(0, rows, _BLOCK):
            block = slice(first, first + _BLOCK)
            near, two = self._preselected(magnitude[block])
            itself = two[:, 0] == 0  # an object of the training set: RAIL leaves it out, and takes the next one twice
            near[itself] = np.roll(near[itself], -1, axis=1)
            near[itself, -1] = near[itself, 0]
            closest[block] = np.where(itself, two[:, 1], two[:, 0])
            angle = self._angle(magnitude[block], norm[block], near).astype(np.float64)
            best = np.argpartition(angle, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
            angle = np.take_along_axis(angle, best, axis=1)
            order = np.argsort(angle, axis=1)
            angles[block] = np.take_along_axis(angle, order, axis=1)
            neighbours[block] = np.take_along_axis(near, np.take_along_axis(best, order, axis=1), axis=1)
        return neighbours, angles, closest

    def _preselected(self, magnitude: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """(N, 4000) training objects by distance, as the tree answers, and the two least distances of each."""
        if len(self._doubles) > _MOST_COMPARED:
            distance, near = self._tree.kneighbors(magnitude, n_neighbors=self._kept)
            return near, distance[:, :2]
        near, two = np.empty((len(magnitude), self._kept), np.intp), np.empty((len(magnitude), 2))
        unsure = np.zeros(len(magnitude), np.bool_)
        squared = cdist(magnitude.astype(np.float64), self._doubles, "sqeuclidean")
        for row, all_squared in enumerate(squared):
            some, farther = np.arange(self._kept), all_squared[:0]
            if self._kept < len(all_squared):
                parted = np.argpartition(all_squared, self._kept - 1)
                some, farther = parted[: self._kept], all_squared[parted[self._kept :]]
            near[row] = some[np.argsort(all_squared[some])]
            found = all_squared[near[row]]
            two[row] = np.sqrt(found[:2])
            unsure[row] = (found[1:] == found[:-1]).any() or (farther <= found[-1] * (1 + _NEAR)).any()
        if unsure.any():  # which of two equals comes first, and which of two nearly equal is kept, only the tree knows
            near[unsure] = self._tree.kneighbors(magnitude[unsure], n_neighbors=self._kept)[1]
        return near, two

    def _angle(self, magnitude: NDArray[Any], norm: NDArray[Any], near: NDArray[np.intp]) -> NDArray[Any]:
        """(N, 4000), as compute_angular_distance(), in the type of the data."""
        product = magnitude[:, :1] * self._by_band[0][near]
        for band in range(1, len(self._by_band)):
            product += magnitude[:, band, np.newaxis] * self._by_band[band][near]
        product /= norm[:, np.newaxis] * self._norm[near]
        return np.sqrt(1.0 - product**2)

    def _fit(
        self, neighbours: NDArray[np.intp], magnitude: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """As compute_photoz_fit(): redshifts, (N, bands + 1) coefficients, squared residual sums, neighbours left.
        Objects with equally many neighbours are fitted together, and those of which a round removed none are done."""
        rows, bands = magnitude.shape
        coefficients, squares = np.zeros((rows, bands + 1)), np.zeros(rows)
        used = np.full(rows, float(neighbours.shape[1]))
        todo = [(np.arange(rows), neighbours)]
        for _ in range(ROUNDS):
            left: dict[int, list[tuple[NDArray[np.intp], NDArray[np.intp]]]] = {}
            for which, indices in todo:
                design, target = self._with_offset[indices], self._z[indices]
                solution, squares[which] = _least_squares(design, target)
                coefficients[which] = solution
                residuals = np.abs(target - np.matmul(design, solution[..., np.newaxis])[..., 0])
                selected = residuals < 3.0 * np.mean(residuals, axis=1, keepdims=True)
                count = np.sum(selected, axis=1)
                enough = count >= bands
                used[which[enough]] = count[enough]
                again = enough & (count < indices.shape[1])
                for size in np.unique(count[again]):
                    those = again & (count == size)
                    remaining = indices[those][selected[those]].reshape(-1, size)
                    left.setdefault(int(size), []).append((which[those], remaining))
            todo = [tuple(np.concatenate(each) for each in zip(*parts)) for parts in left.values()]
        with_offset = np.hstack([magnitude, np.ones((rows, 1))])
        photoz = np.matmul(coefficients[:, np.newaxis], with_offset[..., np.newaxis])[:, 0, 0]
        return photoz, coefficients, squares, used


def _most_kept(angle: NDArray[np.float64]) -> int:
    """How many neighbours an object of this slice keeps, as compute_photoz_mean_routliers()."""
    return int(np.max(np.sum(angle < angle.mean(axis=1)[:, np.newaxis], axis=1)))


def _least_squares(
    design: NDArray[np.float64], target: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """np.linalg.lstsq(rcond=-1) of a stack: (N, columns) solutions and the square of what it calls residuals. It does
    not take stacks itself, the function that it calls does."""
    with np.errstate(all="ignore", invalid="raise"):
        solution, residuals, rank, _ = _umath_linalg.lstsq(
            design, target[..., np.newaxis], -1.0, signature="ddd->ddid"
        )
    rows, columns = design.shape[1:]
    told = (rank == columns) & (rows > columns)
    return solution[..., 0], np.where(told, residuals[:, 0] ** 2, 0.0)
