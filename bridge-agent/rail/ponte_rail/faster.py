"""BPZ's, TPZ's and (in faster_dnf.py) DNF's own arithmetic in fewer steps: the same operations on the same numbers in
the same order, so that no bit of p(z) changes (`test/rail/faster.test.ts`, `test/rail/registered.test.ts`;
`npm run bench -- estimate`; ADR 26).

What is left out is what RAIL computes and throws away. The versions of the packages are part of the registered
configurations, so that another version of either code comes with a run of those tests.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-300
"""BPZ's own (desc_bpz 0.4.0, bpz_tools_py3.py), against an overflow of chi squared."""

_MOST = -2.0 * np.log(EPSILON)


def make_faster(stage: Any) -> None:
    """To be called with the model and the templates in memory; leaves every other algorithm, and what is configured in
    a way that is not covered here, as it is."""
    match type(stage).__name__:
        case "BPZliteEstimator" if not stage.config.no_prior and len(stage.modeldict["nt_array"]) > 1:
            stage._estimate_pdf = _Bpz(stage).estimate_pdf
        case "TPZliteEstimator" if stage.attPars.tree_strategy == "sklearn":
            stage._process_chunk = MethodType(_tpz_process_chunk, stage)
        case "DNFEstimator":
            from ponte_rail import faster_dnf  # imports RAIL's DNF, which no other algorithm needs

            if faster_dnf.covers(stage):
                stage._process_chunk = faster_dnf.Dnf(stage).process_chunk


class _Bpz:
    """BPZliteEstimator._estimate_pdf with the templates laid out band by band and the constants of the prior at hand."""

    def __init__(self, stage: Any) -> None:
        prior, z = stage.modeldict, stage.zgrid
        self.zgrid, self.p_min = z, stage.config.p_min
        # (bands, redshifts, templates), each band contiguous.
        self.templates = np.ascontiguousarray(np.moveaxis(stage.flux_templates, 2, 0))
        self.squares = self.templates**2
        per_type = prior["nt_array"]
        self.m_0, self.last = prior["mo"], float(per_type[-1])
        a = np.repeat(prior["a_arr"], per_type)
        self.a = a
        self.z_0, self.k_m = np.repeat(prior["zo_arr"], per_type), np.repeat(prior["km_arr"], per_type)
        self.k_t = np.repeat(prior["kt_arr"], per_type[:-1])
        self.f_0 = np.repeat(prior["fo_arr"] / per_type[:-1], per_type[:-1])
        self.most = int(np.sum(per_type[:-1]))
        self.z_to_a = np.power.outer(z, a)

    def estimate_pdf(
        self, _templates: Any, kernel: Any, flux: NDArray[Any], error: NDArray[Any], mag_0: Any, _z: Any
    ) -> tuple[NDArray[np.float64], np.float64, np.intp, np.float64]:
        """p(z) summing to 1, the mode, the best template there and its share."""
        post = self._likelihood(flux, error)
        post *= self._prior(mag_0)
        post_z = post.sum(axis=1)
        if kernel is not None:
            post_z = np.convolve(post_z, kernel, 1)
        at_mode = np.argmax(post_z)
        post_z[post_z < (post_z.max() * self.p_min)] = 0
        total = post_z.sum()
        if not abs(total) <= 1e-8:  # numpy's isclose(total, 0.0), which is not met by NaN either
            post_z /= total
        best = np.argmax(post[at_mode, :])
        by_template = post.sum(axis=0)
        return post_z, self.zgrid[at_mode], best, by_template[best] / np.sum(by_template)

    def _likelihood(self, flux: NDArray[Any], error: NDArray[Any]) -> NDArray[np.float64]:
        """(redshifts, templates), as p_c_z_t: chi squared of the best amplitude, against the least of all."""
        ratio = flux / error
        of_data = np.add.reduce(np.where(np.less(ratio, 1e-4), 0.0, ratio**2))
        variance = error**2  # in the type of the data
        cross, own = np.zeros_like(self.templates[0]), np.zeros_like(self.templates[0])
        scratch = np.empty_like(cross)
        for band in np.flatnonzero(~(error > 1.0)):  # an error above 1 is BPZ's sign for "not observed"
            np.multiply(flux[band], self.templates[band], out=scratch)
            scratch /= variance[band]
            cross += scratch
            np.divide(self.squares[band], variance[band], out=scratch)
            own += scratch
        nothing = own == 0.0
        own += EPSILON
        cross *= cross
        cross /= own
        chi2 = np.subtract(of_data, cross, out=cross)
        if nothing.any():
            chi2[nothing] = of_data
        chi2 -= chi2.ravel()[np.argmin(chi2)]
        np.clip(chi2, 0.0, _MOST, out=chi2)
        chi2 *= -0.5
        return np.exp(chi2, out=chi2)

    def _prior(self, m: Any) -> NDArray[np.float64]:
        """(redshifts, templates), as prior_function: Benitez 2000, equations 22 to 24."""
        if m > 32.0:
            m = 32.0
        if m < self.m_0:
            m = self.m_0
        dm = m - self.m_0
        z_m = np.clip(self.z_0 + self.k_m * dm, 0.01, 15.0) ** self.a
        share = np.zeros((len(self.a),), float)
        share[: self.most] = self.f_0 * np.exp(-self.k_t * dm)
        share[self.most :] = (1.0 - np.add.reduce(share[: self.most])) / self.last
        p = self.z_to_a / z_m
        np.clip(p, 0.0, 700.0, out=p)
        np.negative(p, out=p)
        np.exp(p, out=p)
        p *= self.z_to_a
        p /= np.add.reduce(p, 0)
        p[p < 1e-2 / float(len(self.zgrid))] = 0.0
        p /= np.add.reduce(p, 0)
        p *= share
        return p


def _tpz_process_chunk(stage: Any, start: int, end: int, columns: dict[str, NDArray[Any]], first: bool) -> None:
    """TPZliteEstimator._process_chunk: a tree answers for all objects at once, where RAIL asks it object by object, and
    of get_pdf() only p(z) is computed, for RAIL drops the point estimates and confidences that come with it."""
    import qp
    from rail.estimation.algos.mlz_utils import analysis

    for band, error in zip(stage.config.bands, stage.config.err_bands):
        missing = [np.isclose(columns[name], stage.config.nondetect_val) for name in (band, error)]
        columns[band][missing[0] | missing[1]] = stage.config.mag_limits[band]
        columns[error][missing[0] | missing[1]] = 1.0
    parameters = stage.attPars
    attributes = np.array([columns[name] for name in parameters.use_atts]).T
    tools = analysis.GetPz_short(parameters)
    bins = len(tools.zbins)
    histogram = np.zeros((len(attributes), bins))
    rows = np.arange(len(attributes))
    for k in range(int(parameters.n_random * parameters.n_trees)):
        redshift = stage.model["treedict"][f"tree_{k}"].predict(attributes)
        column = np.floor(redshift / tools.resz).astype(int)
        counted = (redshift != -1.0) & (column <= tools.Nbins - 1)
        histogram[rows[counted], column[counted]] += 1
    grid = tools.zfine2[tools.wzin]
    pdf = np.stack([_tpz_pdf(tools, each) for each in histogram]) if len(rows) else np.zeros((0, len(grid)))
    ensemble = qp.Ensemble(qp.interp, data={"xvals": grid, "yvals": pdf})
    zmode = ensemble.mode(grid=np.linspace(parameters.zmin, parameters.zmax, parameters.nzbins))
    ensemble.set_ancil({"zmode": zmode})
    stage._do_chunk_output(ensemble, start, end, first, data=columns)


def _tpz_pdf(tools: Any, histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.interp(tools.zfine2, tools.zbins, histogram)
    p = np.where(p > np.max(p) * 0.20, p, 0.0)
    p = np.convolve(p, tools.gaus2, 1)
    p = np.where(p > np.max(p) * 0.005, p, 0.0)
    total = np.sum(p)
    if total > 0.0:
        p /= total
    p = p[tools.wzin]
    total = np.cumsum(p)[-1]  # one after the other, as Python's sum() adds
    if total > 0.0:
        p /= total
    return p
