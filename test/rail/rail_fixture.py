"""What the tests of the worker need from Python: parts to feed it, and RAIL called plainly to compare with.

References are computed without the worker's code. Every command prints one JSON value.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
    os.environ[_name] = "1"

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

BANDS = "ugrizy"
GRID = np.linspace(0.0, 3.0, 301)
FINE = np.linspace(0.0, 3.0, 30001)
QUANTILES = {"z_err95_low": 0.025, "z_err68_low": 0.16, "z_median": 0.5, "z_err68_high": 0.84, "z_err95_high": 0.975}


def part(release: str, path: str, first: str, rows: str) -> bool:
    """Skinny columns of some rows of the catalogue: 4 decimals, NULL for 99."""
    tables = [pq.read_table(file) for file in sorted(Path(release).glob("*.parquet"))]
    table = pa.concat_tables(tables).slice(int(first), int(rows))
    columns: dict[str, Any] = {"_healpix_29": pa.array(np.arange(len(table)))}
    columns |= {"objectId": table["id"], "ra": table["ra"], "dec": table["dec"]}
    for ours, theirs in (("mag", "mag"), ("magerr", "mag_err")):
        for band in BANDS:
            rounded = np.floor(table[f"{theirs}_{band}_lsst"].to_numpy().astype("f8") * 1e4 + 0.5) / 1e4
            missing = table[f"mag_{band}_lsst"].to_numpy() == 99
            columns[f"{ours}_{band}"] = pa.array(rounded.astype("f4"), mask=missing)
    pq.write_table(pa.table(columns), path, compression="zstd")
    return True


def head(source: str, target: str, rows: str) -> bool:
    pq.write_table(pq.read_table(source).slice(0, int(rows)), target)
    return True


def doubled(source: str, target: str) -> bool:
    """Every row twice in a row, the second time under another id."""
    table = pq.read_table(source)
    twice = table.take(np.repeat(np.arange(len(table)), 2))
    ids = twice["objectId"].to_numpy() + np.arange(len(twice)) % 2 * 2**40
    pq.write_table(twice.set_column(table.column_names.index("objectId"), "objectId", pa.array(ids)), target)
    return True


def among(training: str, part_path: str, target: str) -> bool:
    """A part whose first rows are objects of the training set."""
    table = pq.read_table(part_path)
    known = pq.read_table(training).select([name for name in table.column_names if name.startswith("mag")])
    rows = min(len(known), 60)
    for name in known.column_names:
        values = pa.concat_arrays([known[name].combine_chunks()[:rows], table[name].combine_chunks()[rows:]])
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, target)
    return True


def damaged(part_path: str, folder: str) -> bool:
    """What may be wrong with a part, a file each."""
    table, content = pq.read_table(part_path), Path(part_path).read_bytes()
    Path(folder, "truncated.parquet").write_bytes(content[: len(content) // 2])
    Path(folder, "text.parquet").write_text("objectId,mag_u\n1,24\n")
    Path(folder, "no-bytes.parquet").write_bytes(b"")
    pq.write_table(table.drop_columns(["magerr_z"]), Path(folder, "no-column.parquet"))
    pq.write_table(table.slice(0, 0), Path(folder, "no-rows.parquet"))
    return True


def swollen(part_path: str, target: str, rows: str) -> bool:
    """The first row so many times: a small file whose columns are large."""
    first = pq.read_table(part_path).slice(0, 1)
    batch = first.take(np.zeros(100_000, np.intp))
    with pq.ParquetWriter(target, first.schema, compression="zstd") as writer:
        for _ in range(int(rows) // len(batch)):
            writer.write_table(batch)
    return True


def shuffle(source: str, target: str) -> bool:
    table = pq.read_table(source)
    pq.write_table(table.take(np.random.default_rng(7).permutation(len(table))), target)
    return True


def spoil(source: str, target: str) -> list[str]:
    """Puts one kind of bad value into each of the first rows; the kinds, in order."""
    table = pq.read_table(source)
    columns = {name: table[name].to_pylist() for name in table.column_names}
    every = [f"mag_{band}" for band in BANDS]
    kinds: list[tuple[str, list[str], Any]] = [
        ("none", [], None),
        ("null u", ["mag_u", "magerr_u"], None),
        ("nan r", ["mag_r"], float("nan")),
        ("inf g", ["mag_g"], float("inf")),
        ("negative z", ["mag_z"], -22.5),
        ("sentinel y", ["mag_y"], 99.0),
        ("null error", ["magerr_r"], None),
        ("zero error", ["magerr_r"], 0.0),
        ("negative error", ["magerr_r"], -1.0),
        ("infinite error", ["magerr_r"], float("inf")),
        ("null i", ["mag_i", "magerr_i"], None),
        ("all null", [*every, *(f"magerr_{band}" for band in BANDS)], None),
        ("all nan", every, float("nan")),
        ("all inf", every, float("inf")),
        ("all negative", every, -99.0),
        ("absurdly bright", every, 1e-3),
    ]
    for row, (_, names, value) in enumerate(kinds):
        for name in names:
            columns[name][row] = value
    arrays = [pa.array(columns[field.name], field.type, from_pandas=False) for field in table.schema]
    pq.write_table(pa.table(arrays, schema=table.schema), target)
    return [kind for kind, _, _ in kinds]


def points(path: str) -> list[dict[str, Any]]:
    """Rows as objects; ids as text, because JSON numbers end at 2^53."""
    return [{**row, "objectId": str(row["objectId"])} for row in pq.read_table(path).to_pylist()]


def ids(path: str) -> list[str]:
    return [str(value) for value in pq.read_table(path, columns=["objectId"])["objectId"].to_pylist()]


def plain(algorithm: str, model: str, part_path: str, pdf_path: str) -> list[dict[str, Any]]:
    """Three times ten random objects through RAIL as its manual says, packed, against the worker's p(z)."""
    table, found = pq.read_table(part_path), pq.read_table(pdf_path)
    return [_compare_with_plain(algorithm, model, table, found, seed) for seed in (1, 2, 3)]


def _compare_with_plain(algorithm: str, model: str, table: pa.Table, found: pa.Table, seed: int) -> dict[str, Any]:
    """HDF5 in, HDF5 out, one call."""
    rows = np.sort(np.random.default_rng(seed).choice(len(table), 10, replace=False))
    with tempfile.TemporaryDirectory() as folder:
        file = _run_plainly(algorithm, model, table.take(rows), folder)
        expected, ids = file["data/yvals"][:], file["ancil/id"][:]
        xvals = np.ravel(file["meta/xvals"][:])
        file.close()
    same_ids = np.array_equal(ids, found["objectId"].to_numpy()[rows])
    given = [found["pz"][int(row)].as_py() for row in rows]
    same = given == _packed_plainly(expected, found["objectId"].to_numpy()[rows])
    same &= np.array_equal(expected.max(axis=1).astype("f4"), found["pz_peak"].to_numpy()[rows])
    return {
        "sameIds": bool(same_ids),
        "sameGrid": bool(np.array_equal(xvals, GRID)),
        "sameBits": bool(same),
        "shape": list(expected.shape),
        "dtype": str(expected.dtype),
        "largest": float(expected.max()),
    }


def _packed_plainly(pdf: NDArray[np.float64], ids: NDArray[np.int64]) -> list[bytes]:
    """The documented rule, one number at a time: the remainder is carried on, from a start that the id says."""
    packed = []
    for values, object_id in zip(pdf.tolist(), ids.tolist()):
        peak, carried = max(values), (object_id * 0x9E3779B97F4A7C15 % 2**64) >> 24
        row = bytearray()
        for value in values:
            carried += round(value / peak * (255 * 2.0**40))
            row.append(carried >> 40)
            carried %= 2**40
        packed.append(bytes(row))
    return packed


def archived(algorithm: str, model: str, part_path: str, archive_path: str, pdf_path: str) -> dict[str, Any]:
    """All of a part in one plain RAIL call against the worker's archive, data set by data set, bit for bit; the packed
    p(z) against the documented rule; and what that loses and takes, beside qp's own packing of the same p(z)."""
    import h5py
    import qp
    from qp.parameterizations.packed_interp.packing_utils import linear_pack_from_rowmax

    table, packed = pq.read_table(part_path), pq.read_table(pdf_path)
    with tempfile.TemporaryDirectory() as folder, h5py.File(archive_path) as ours:
        theirs = _run_plainly(algorithm, model, table, folder)
        names = {f"{group}/{name}" for group in ("data", "meta") for name in theirs[group]}
        different = [name for name in sorted(names) if theirs[name][()].tobytes() != ours[name][()].tobytes()]
        same_ids = np.array_equal(ours["ancil/id"][:], table["objectId"].to_numpy())
        theirs.close()
        ensemble = qp.read(f"{folder}/out.hdf5")
        on_grid = ensemble.metadata.get("xvals") is not None and np.array_equal(np.ravel(ensemble.metadata["xvals"]), GRID)
        pdf = ensemble.objdata["yvals"] if on_grid else ensemble.pdf(GRID)
    known = packed["pz"].is_valid().to_numpy(zero_copy_only=False)
    given = [value.as_py() for value in packed["pz"] if value.is_valid]
    pdf, ids = pdf[known], packed["objectId"].to_numpy()[known]
    theirs, _ = linear_pack_from_rowmax(pdf)
    return {
        "names": sorted(names),
        "different": different,
        "sameIds": bool(same_ids),
        "packed": len(given),
        "unlikeRule": sum(ours != ruled for ours, ruled in zip(given, _packed_plainly(pdf, ids))),
        "loss": _loss(pdf, given),
        "lossOfQp": _loss(pdf, [row.tobytes() for row in theirs]),
    }


def same_rows(*paths: str) -> dict[str, bool]:
    """Whether two estimates left the same, by output; what is said of the configuration, and slices of the file, aside."""
    import h5py

    ours, theirs = paths[: len(paths) // 2], paths[len(paths) // 2 :]
    found = {}
    for one, other in zip(ours, theirs):
        if one.endswith(".hdf5"):
            with h5py.File(one) as first, h5py.File(other) as second:
                names = [f"{group}/{name}" for group in first for name in first[group]]
                same = all(first[name][()].tobytes() == second[name][()].tobytes() for name in names)
                found[Path(one).stem] = same and set(first["data"]) == set(second["data"]) and len(names) > 2
        else:
            found[Path(one).stem] = pq.read_table(one).equals(pq.read_table(other))
    return found


def _loss(pdf: NDArray[np.float64], packed: list[bytes]) -> dict[str, float]:
    """W1 in redshift (median and 99 %), L1 of the stacked N(z), shift of the mean redshift, of p(z) scaled to 1; and what
    the bytes take in a file like the worker's."""
    coarse = np.frombuffer(b"".join(packed), np.uint8).reshape(pdf.shape).astype("f8")
    step = GRID[1] - GRID[0]
    error = np.subtract(*(values / np.trapezoid(values, GRID, axis=1)[:, None] for values in (coarse, pdf)))
    w1 = np.abs(np.cumsum(error, axis=1)).sum(axis=1) * step * step
    file = pa.BufferOutputStream()
    pq.write_table(pa.table({"pz": pa.array(packed, pa.binary())}), file, compression="zstd", use_dictionary=False)
    return {
        "w1Median": float(np.median(w1)),
        "w1Most": float(np.quantile(w1, 0.99)),
        "nzL1": float(np.abs(error.mean(axis=0)).sum() * step),
        "meanShift": float(np.abs((error * GRID).sum(axis=1) * step).mean()),
        "bytesPerObject": file.tell() / len(packed),
    }


def _registered(algorithm: str) -> dict[str, Any]:
    folder = Path(__file__).resolve().parents[2] / "schemas" / "algorithms"
    return json.loads((folder / f"{algorithm}.json").read_text())


def _run_plainly(algorithm: str, model: str, table: pa.Table, folder: str) -> Any:
    """HDF5 in, HDF5 out, one call; the open file."""
    import h5py
    import tables_io

    registered = _registered(algorithm)
    columns, float_type = {"id": table["objectId"].to_numpy()}, registered["floatType"]
    undetected = {name: np.float32(registered["nonDetection"][name]) for name in ("magnitude", "error")}
    for band in BANDS:
        value = table[f"mag_{band}"].to_numpy()
        missing = np.isnan(value)
        columns[f"mag_{band}"] = np.where(missing, undetected["magnitude"], value).astype(float_type)
        error = np.where(missing, undetected["error"], table[f"magerr_{band}"].to_numpy())
        columns[f"magerr_{band}"] = error.astype(float_type)
    tables_io.write({"photometry": columns}, f"{folder}/in.hdf5")
    stage = _estimator(algorithm, model, f"{folder}/in.hdf5", f"{folder}/out.hdf5")
    stage.run()
    stage.finalize()
    return h5py.File(f"{folder}/out.hdf5")


def _estimator(algorithm: str, model: str, source: str, target: str) -> Any:
    """RAIL's defaults, with our names of columns. One chunk; DNF's p(z) depend on it, so there it is the registered one."""
    import importlib

    registered = _registered(algorithm)
    extra: dict[str, str] = {}
    if algorithm == "lephare":
        folders = lay_out_lephare(model, os.path.dirname(os.path.abspath(source)))
        extra = {"run_dir": folders.pop("RUN_DIR")}
        os.environ |= folders
    stage = getattr(importlib.import_module(registered["rail"]["module"]), registered["rail"]["estimator"])
    wanted: dict[str, Any] = {
        "bands": [f"mag_{band}" for band in BANDS],
        "err_bands": [f"magerr_{band}" for band in BANDS],
        "ref_band": "mag_i",
        "mag_limits": {f"mag_{band}": float(limit) for band, limit in registered["nonDetection"]["limits"].items()},
        "bpz_ref_data_path": os.path.join(sys.prefix, "share", "ponte", "bpz"),
    }
    common = {"model": model, "input": source, "output": target, "hdf5_groupname": "photometry", "id_col": "id"}
    common["chunk_size"] = registered["chunkSize"] if registered["slicing"] == "fixed" else 1_000_000
    known = {name: value for name, value in wanted.items() if name in stage.config_options}
    return stage.make_stage(name="plain", **known, **common, **extra)


def lay_out_lephare(model: str, folder: str) -> dict[str, str]:
    """LePHARE's data as they are registered, and the library behind RAIL's pickle: where its two variables and RAIL's
    own run_dir are to point."""
    import pickle
    import tarfile

    with tarfile.open(os.environ["LEPHARE_ARCHIVE"]) as archive:
        archive.extractall(f"{folder}/data", filter="data")
    with open(model, "rb") as file:
        pickle.load(file)
        library = pickle.load(file)["library"]
    for name, content in library.items():
        path = Path(folder, "library", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {"LEPHAREDIR": f"{folder}/data", "LEPHAREWORK": f"{folder}/empty", "RUN_DIR": f"{folder}/library"}


def definitions(algorithm: str, points_path: str, archive_path: str) -> dict[str, float]:
    """Largest difference of each estimate from RAIL's or qp's own function of the same p(z), over 200 rows."""
    import qp
    from rail.core.point_estimation import PointEstimationMixin

    table = pq.read_table(points_path).slice(0, 200)
    pdf = qp.read(archive_path).objdata["yvals"][:200]
    ensemble = qp.Ensemble(qp.interp, data={"xvals": GRID, "yvals": pdf})
    expected = {
        "z_best": PointEstimationMixin()._calculate_best_point_estimate(ensemble, GRID),
        "z_mode": ensemble.mode(GRID),
        "z_mean": np.average(np.broadcast_to(GRID, pdf.shape), axis=1, weights=pdf),
    } | {name: ensemble.ppf(quantile) for name, quantile in QUANTILES.items()}
    return {
        name: float(np.abs(table[f"{algorithm}_{name}"].to_numpy() - np.ravel(values)).max())
        for name, values in expected.items()
    }


def split(training: str, fraction: str, seed: str) -> dict[str, list[str]]:
    """The documented rule of the held-out share, written down once more."""
    table = pq.read_table(training).sort_by("objectId")
    permutation = np.random.Generator(np.random.PCG64(int(seed))).permutation(len(table))
    chosen = set(permutation[: int(len(table) * float(fraction))].tolist())
    everyone = table["objectId"].to_pylist()
    held_out = [str(everyone[row]) for row in sorted(chosen)]
    kept = [str(value) for row, value in enumerate(everyone) if row not in chosen]
    return {"heldOut": held_out, "kept": kept}


def binned(algorithm: str, model: str, training: str, held_out: str) -> dict[str, Any]:
    """By magnitude i in steps of 1 and by redshift in steps of 0.5, with RAIL's evaluators fed one bin at a time. The
    p(z) are those of one estimate of all: a matrix product over fewer rows may differ in its last bits."""
    table = _held_out(training, held_out)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        estimated = _estimate(algorithm, model, table)
        for name, width in (("mag_i", 1.0), ("redshift", 0.5)):
            cell = np.floor(table[name].to_numpy().astype("f8") / width).astype(int)
            for index in np.unique(cell):
                rows = np.flatnonzero(cell == index)
                some = table.take(rows)
                metrics = _evaluate(_take(estimated, rows), some) if len(rows) >= 10 else None
                found[f"{name} {index * width:g}"] = {"rows": len(rows), "metrics": metrics}
    return found


def metrics(algorithm: str, model: str, training: str, held_out: str) -> dict[str, float]:
    """Those of all held-out objects."""
    return _metrics(algorithm, model, _held_out(training, held_out))


def summarized(algorithm: str, model: str, training: str, held_out: str) -> dict[str, Any]:
    """N(z) by RAIL's summarizers and in its tomographic bins, each stage called plainly on RAIL's own estimate."""
    import h5py
    import qp
    from rail.estimation.algos.equal_count import EqualCountClassifier
    from rail.estimation.algos.naive_stack import NaiveStackMaskedSummarizer, NaiveStackSummarizer
    from rail.estimation.algos.point_est_hist import PointEstHistSummarizer
    from rail.estimation.algos.uniform_binning import UniformBinningClassifier
    from rail.estimation.algos.var_inf import VarInfStackSummarizer

    table = _held_out(training, held_out)
    truth = table["redshift"].to_numpy().astype("f8")
    edges = np.linspace(0, 3, 31)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with h5py.File(_estimate(algorithm, model, table)) as file:
            # Not qp.read: it would normalise once more what RAIL has normalised.
            values = {"xvals": np.ravel(file["meta/xvals"][:]), "yvals": file["data/yvals"][:]}
            mode = np.ravel(file["ancil/zmode"][:])
        ensemble = qp.Ensemble(qp.interp, data=values, ancil={"zmode": mode})

        def summarize(stage_class: Any, name: str, *bins: Any, **config: Any) -> dict[str, Any]:
            stage = stage_class.make_stage(name=name, n_samples=20, **config)
            stage.summarize(ensemble, *bins)
            single, samples = (stage.get_handle(tag).data for tag in ("single_NZ", "output"))
            rows = np.ones(len(truth), bool) if not bins else bins[0]["tomo_bin_index"] == config["selected_bin"]
            shares, spread = (np.diff(np.atleast_2d(each.cdf(edges)), axis=1) for each in (single, samples))
            true = np.histogram(truth[rows], edges)[0]
            estimated = rows.sum() * shares[0]
            return {
                "estimated": estimated.tolist(),
                "spread": (rows.sum() * spread.std(axis=0, ddof=1)).tolist(),
                "l1": float(np.sum(np.abs(estimated - true)) + rows.sum() - true.sum()) / int(rows.sum()),
                # By brute force, to compare the means with; qp's own integral takes seconds.
                "mean": float(3 - np.trapezoid(np.ravel(single.cdf(FINE)), FINE)),
            }

        stack = {"zmin": 0.0, "zmax": 3.0, "nzbins": 300}
        found: dict[str, Any] = {
            "naive_stack": summarize(NaiveStackSummarizer, "naive", **stack),
            "point_estimate_histogram": summarize(
                PointEstHistSummarizer, "histogram", zmin=-0.005, zmax=3.005, nzbins=301
            ),
            "var_inference": summarize(VarInfStackSummarizer, "var", zmin=0.0, zmax=3.0, nzbins=301, n_iter=20),
        }
        uniform = UniformBinningClassifier.make_stage(
            name="uniform", zbin_edges=[float(GRID[index]) for index in range(20, 121, 20)], n_tom_bins=5
        )
        equal = EqualCountClassifier.make_stage(name="equal", n_tom_bins=5)
        for name, classifier in (("uniform", uniform), ("equal_count", equal)):
            bins = {"tomo_bin_index": np.asarray(classifier.classify(ensemble).data["tomo_bin_index"])}
            for index in range(5):
                rows = bins["tomo_bin_index"] == index
                key, config = f"{name} {index}", {"selected_bin": index, **stack}
                stacked = rows.sum() >= 10
                found[key] = {
                    "rows": int(rows.sum()),
                    "meanTrue": float(truth[rows].mean()) if rows.any() else None,
                    "stack": summarize(NaiveStackMaskedSummarizer, key.replace(" ", "_"), bins, **config) if stacked else None,
                }
    return found


def _held_out(training: str, held_out: str) -> pa.Table:
    wanted = set(json.loads(Path(held_out).read_text()))
    table = pq.read_table(training).sort_by("objectId")
    return table.filter(pa.array([str(value) in wanted for value in table["objectId"].to_pylist()]))


def _metrics(algorithm: str, model: str, table: pa.Table) -> dict[str, float]:
    """RAIL's evaluators on RAIL's own estimate of the objects."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        return _evaluate(_estimate(algorithm, model, table), table)


def _estimate(algorithm: str, model: str, table: pa.Table) -> str:
    """The file in which RAIL leaves p(z) of all objects, with the mode of each; works in the present folder."""
    import tables_io

    columns = {"id": table["objectId"].to_numpy(), "redshift": table["redshift"].to_numpy()}
    for band in BANDS:
        columns[f"mag_{band}"] = table[f"mag_{band}"].fill_null(99.0).to_numpy()
        columns[f"magerr_{band}"] = table[f"magerr_{band}"].fill_null(1.0).to_numpy()
    tables_io.write({"photometry": columns}, "in.hdf5")
    stage = _estimator(algorithm, model, "in.hdf5", "out.hdf5")
    stage.config.calculated_point_estimates = ["zmode"]
    stage.run()
    stage.finalize()
    return "out.hdf5"


def _take(estimated: str, rows: NDArray[np.intp]) -> str:
    """A file with some of the p(z), bit for bit: qp would normalise what it reads and writes."""
    import h5py

    path = "some.hdf5"
    with h5py.File(estimated) as all_rows, h5py.File(path, "w") as some:
        count = len(all_rows["data/yvals"])
        for group in all_rows:
            for name, values in all_rows[group].items():
                some[f"{group}/{name}"] = values[:][rows] if group != "meta" and len(values) == count else values[:]
    return path


def _evaluate(estimated: str, table: pa.Table) -> dict[str, float]:
    """RAIL's evaluators, as stages, on the p(z) of a file; and CRPS by brute force. Works in the present folder."""
    import qp
    import tables_io
    from rail.evaluation.dist_to_point_evaluator import DistToPointEvaluator
    from rail.evaluation.point_to_point_evaluator import PointToPointEvaluator

    truth = table["redshift"].to_numpy()
    ensemble = qp.read(estimated)
    mode = np.ravel(ensemble.ancil["zmode"])
    Path("truth.hdf5").unlink(missing_ok=True)
    tables_io.write({"photometry": {"redshift": truth}}, "truth.hdf5")
    common = {"input": estimated, "truth": "truth.hdf5", "hdf5_groupname": "photometry", "force_exact": True}
    dist = DistToPointEvaluator.make_stage(
        name="dist", metrics=["cdeloss", "brier"], metric_config={"cdeloss": {"eval_grid": GRID}}, **common
    )
    names = ["point_bias", "point_stats_iqr", "point_stats_sigma_mad", "point_outlier_rate"]
    point = PointToPointEvaluator.make_stage(name="point", metrics=names, point_estimate_key="zmode", **common)
    found: dict[str, float] = {}
    for evaluator in (dist, point):
        evaluator.run()
        evaluator.finalize()
        summary = evaluator.get_handle("summary").data
        found |= {name: float(np.squeeze(value)) for name, value in summary.items()}
    pit = qp.metrics.pit.PIT(ensemble, truth)
    fine = np.linspace(0, 3, 30001)
    steps = fine >= truth[:, None]
    return {
        "bias": found["point_bias"],
        "sigma_mad": found["point_stats_sigma_mad"],
        "sigma_iqr": found["point_stats_iqr"],
        "outlier_rate_rail": found["point_outlier_rate"],
        "outlier_share_015": float(np.mean(np.abs(mode - truth) > 0.15 * (1 + truth))),
        "cde_loss": found["cdeloss"],
        "pit_ks": float(pit.evaluate_PIT_KS().statistic),
        "pit_cvm": float(pit.evaluate_PIT_CvM().statistic),
        "brier": found["brier"],
        "pit_ad": float(pit.evaluate_PIT_anderson_ksamp().statistic),
        "pit_outlier_rate": float(pit.evaluate_PIT_outlier_rate()),
        "crps_mean": float(np.trapezoid((ensemble.cdf(fine) - steps) ** 2, fine, axis=1).mean()),
    }


def worker_split(training: str, fraction: str, seed: str) -> dict[str, list[str]]:
    """What the worker itself makes of it, from a file in another order."""
    from ponte_rail.algorithm import read_algorithm
    from ponte_rail.held_out import split as split_by_worker
    from ponte_rail.photometry import read_photometry
    from ponte_rail.task import HeldOut

    content = Path(training).read_bytes()
    sample = read_photometry(content, read_algorithm("bpz"), "training", Path(training))
    sample = sample.take(np.random.default_rng(3).permutation(len(sample)))
    kept, held_out = split_by_worker(sample, HeldOut(float(fraction), int(seed)))
    return {name: [str(value) for value in part.object_id] for name, part in (("kept", kept), ("heldOut", held_out))}


def same_quantiles() -> dict[str, bool]:
    """Whether the worker's quantiles are qp's to the bit, by what the p(z) look like."""
    import qp
    from ponte_rail.estimates import quantiles

    random, shares = np.random.default_rng(11), list(QUANTILES.values())
    centres, widths = random.uniform(-0.2, 3.2, (500, 2, 1)), random.uniform(0.01, 0.5, (500, 2, 1))
    shapes = {
        "two peaks": np.exp(-0.5 * ((GRID - centres) / widths) ** 2).sum(axis=1),
        "one point": np.eye(len(GRID)) * random.uniform(1e-200, 1e200, (len(GRID), 1)),
        "noise with gaps": np.where(random.random((500, len(GRID))) < 0.9, 0.0, random.random((500, len(GRID)))),
        "flat": np.full((1, len(GRID)), 1 / 3),
    }
    found = {}
    for name, pdf in shapes.items():
        theirs = qp.Ensemble(qp.interp, data={"xvals": GRID, "yvals": pdf}).ppf(shares)
        ours = quantiles(pdf, GRID, shares)
        found[name] = np.asarray(theirs).reshape(ours.shape).tobytes() == ours.tobytes()
    return found


_SPREAD_IDS = 4096


def packing() -> dict[str, Any]:
    """What packing does to p(z) of all shapes under ids of all kinds, by shape: rows that are not as the rule says,
    points that are neither rounded up nor down, zeros that are not zero, peaks that are not 255, the largest error of the
    sum over any interval in steps, and whether slices and order leave the bytes alone."""
    from ponte_rail.packing import pack

    random, n = np.random.default_rng(12), 300
    centres, widths = random.uniform(-0.2, 3.2, (n, 2, 1)), random.uniform(0.004, 0.8, (n, 2, 1))
    smooth = np.exp(-0.5 * ((GRID - centres) / widths) ** 2).sum(axis=1)
    noise = random.random((n, len(GRID)))
    whole = np.floor(noise * 256)
    whole[:, 150] = 255
    shapes = {
        "two peaks": smooth,
        "long tails": 1 / (1 + ((GRID - centres[:, 0]) / widths[:, 0]) ** 2),
        "one point": np.eye(len(GRID))[np.arange(n)],
        "noise with gaps": np.where(random.random((n, len(GRID))) < 0.9, 0.0, noise),
        "all at the peak": np.repeat(random.uniform(1e-3, 300, (n, 1)), len(GRID), axis=1),
        "whole bytes": whole / 255 * random.uniform(1e-3, 300, (n, 1)),
        "of tiny values": smooth * 1e-300,
        "of huge values": smooth * 1e300,
    }
    ids = random.integers(-(2**63), 2**63, n, dtype=np.int64)
    ids[:5] = [0, 1, -1, -(2**63), 2**63 - 1]
    order = random.permutation(n)
    found: dict[str, Any] = {}
    for name, pdf in shapes.items():
        packed, peaks = pack(pdf, np.ones(n, np.bool_), ids)
        bytes_ = np.frombuffer(b"".join(packed), np.uint8).reshape(pdf.shape).astype("f8")
        exact = 255 * (pdf / pdf.max(axis=1)[:, None])
        runs = np.cumsum(np.pad(bytes_ - exact, ((0, 0), (1, 0))), axis=1)
        # 255 p / peak in doubles is off by some 1e-14: a whole number may come out just beside itself.
        inside = (bytes_ >= np.floor(exact - 1e-12)) & (bytes_ <= np.ceil(exact + 1e-12))
        slices = [pack(pdf[rows], np.ones(len(rows), np.bool_), ids[rows])[0] for rows in np.array_split(order, 7)]
        found[name] = {
            "unlikeRule": sum(ours != ruled for ours, ruled in zip(packed, _packed_plainly(pdf, ids))),
            "farther": int((~inside).sum()),
            "zerosLost": int((bytes_[pdf == 0] != 0).sum()),
            "peaksLost": int((bytes_[pdf == pdf.max(axis=1)[:, None]] != 255).sum()),
            "interval": float((runs.max(axis=1) - runs.min(axis=1)).max()),
            "sameInSlices": [each for part in slices for each in part] == [packed[row] for row in order],
            "samePeaks": bool(np.array_equal(peaks, pdf.max(axis=1).astype("f4"))),
        }
    return found


def packing_leaves_out() -> dict[str, Any]:
    """p(z) that are not to be packed, between others: what they leave, and whether the others notice."""
    from ponte_rail.packing import pack

    sound = np.exp(-0.5 * ((GRID - np.linspace(0.2, 2.8, 4)[:, None]) / 0.3) ** 2)
    bad = np.stack([np.full_like(GRID, np.nan), np.zeros_like(GRID), -sound[0]])
    pdf, usable = np.concatenate([sound[:2], bad, sound[2:]]), np.array([True] * 2 + [False] * 3 + [True] * 2)
    ids = np.arange(7)
    packed, peaks = pack(pdf, usable, ids)
    alone, _ = pack(sound, np.ones(4, np.bool_), ids[usable])
    nothing, no_peaks = pack(bad, np.zeros(3, np.bool_), ids[:3])
    return {
        "packed": [each is not None for each in packed],
        "peaks": np.isfinite(peaks).tolist(),
        "sameOthers": [each for each in packed if each is not None] == alone,
        "nothing": nothing == [None] * 3 and bool(np.isnan(no_peaks).all()),
        "noRows": pack(np.empty((0, 301)), np.empty(0, np.bool_), np.empty(0, np.int64))[0] == [],
    }


def packing_is_even() -> dict[str, float]:
    """By how ids follow each other: the largest difference, in steps of a byte, between the mean of 4,096 packed p(z), all
    alike, and the p(z) itself."""
    from ponte_rail.packing import pack

    pdf = 1 / (1 + ((GRID - 0.7) / 0.05) ** 2)
    count = np.arange(_SPREAD_IDS, dtype=np.int64)
    random = np.random.default_rng(13)
    kinds = {
        "one after the other": count,
        "below zero": -count,
        "far apart": count * 2**40,
        "tract, patch and number": 3 * 2**60 + count // 64 * 2**30 + count % 64 * 37,
        "every thousandth": 10**18 + count * 1000,
        "at random": random.integers(-(2**63), 2**63, _SPREAD_IDS, dtype=np.int64),
    }
    found = {}
    for name, ids in kinds.items():
        packed, _ = pack(np.tile(pdf, (_SPREAD_IDS, 1)), np.ones(_SPREAD_IDS, np.bool_), ids)
        mean = np.frombuffer(b"".join(packed), np.uint8).reshape(_SPREAD_IDS, -1).mean(axis=0)
        found[name] = float(np.abs(mean - 255 * pdf / pdf.max()).max())
    return found


def summaries() -> dict[str, Any]:
    """The worker's summary of five p(z): NaN, zero, negative, peaked at the edge, sound."""
    from ponte_rail.estimates import NAMES, summarise

    sound = np.exp(-0.5 * ((GRID - 1.0) / 0.1) ** 2)
    edge = np.exp(-GRID / 0.1)
    pdf = np.stack([np.where(GRID > 1, np.nan, 1.0), np.zeros_like(GRID), sound - 0.5, edge, sound])
    found, flags = summarise(pdf, GRID, np.zeros(5, np.int32))
    rows = [[None if np.isnan(found[name][row]) else float(found[name][row]) for name in NAMES] for row in range(5)]
    return {"flags": flags.tolist(), "estimates": rows}


def classified() -> list[list[str]]:
    import errno

    from ponte_rail.failures import classify

    raised = [MemoryError(), OSError(errno.ENOMEM, "cannot allocate"), ValueError("Check failed: std::bad_alloc")]
    raised += [OSError(errno.ENOSPC, "no space"), OSError(errno.EIO, "input/output"), ValueError("odd")]
    return [[error.code, error.kind] for error in (classify(each, "unit") for each in raised)]


def magnitudes(part_path: str) -> list[dict[str, Any]]:
    """objectId, as text, and i magnitude of every row of a part."""
    import pyarrow.parquet as pq

    rows = pq.read_table(part_path, columns=["objectId", "mag_i"]).to_pylist()
    return [{"objectId": str(row["objectId"]), "mag_i": row["mag_i"]} for row in rows]


def bisected() -> dict[str, tuple[list[tuple[int, int]], bool]]:
    """What the search finds in rows of which some fail, as start and end."""
    import time

    from ponte_rail.bisection import failing_ranges

    def search(fails: Callable[[range], bool], rows: int, seconds: float) -> tuple[list[tuple[int, int]], bool]:
        ranges, complete = failing_ranges(fails, rows, time.monotonic() + seconds)
        return [(one.start, one.stop) for one in ranges], complete

    return {
        "none of one row": search(lambda rows: True, 1, 60),
        "first, middle and last": search(lambda rows: any(row in rows for row in (0, 41, 99)), 100, 60),
        "two that fail together": search(lambda rows: 0 in rows and 99 in rows, 100, 60),
        "no time": search(lambda rows: True, 100, -1),
    }


def trap(path: str, evidence: str) -> bool:
    """A pickle that leaves evidence when it is loaded."""
    import pickle

    class Trap:
        def __reduce__(self) -> Any:
            return (open, (evidence, "w"))

    Path(path).write_bytes(pickle.dumps(Trap()))
    return True


def unusable(training: str, folder: str, *models: str) -> dict[str, dict[str, list[str] | None]]:
    """By algorithm and by what is wrong with its training set or its model: code, kind and message, null for no error.
    `models` are those of all algorithms, as NAME=PATH. Each case has a child of its own, as the worker would run it."""
    import hashlib

    from ponte_rail.algorithm import read_algorithm
    from ponte_rail.ancillary import unpack
    from ponte_rail.child import ChildRunner
    from ponte_rail.record import Outcome
    from ponte_rail.stages import import_algorithm, load_estimator
    from ponte_rail.task import FileRef
    from ponte_rail.template_library import DATA, settle
    from ponte_rail.units import Work

    sound = {name: Path(path).read_bytes() for name, path in (each.split("=", 1) for each in models)}
    trainings = _bad_trainings(training)
    found: dict[str, dict[str, list[str] | None]] = {}

    def told(name: str, work: Callable[[], Outcome]) -> list[str] | None:
        outcome = ChildRunner().run(work, name)
        assert isinstance(outcome, Outcome)
        return [outcome.error.code, outcome.error.kind, outcome.error.message] if outcome.error else None

    def load(name: str, model: bytes) -> Outcome:
        load_estimator(read_algorithm(name), model)
        return Outcome()

    if "lephare" in sound:
        archive = Path(os.environ["LEPHARE_ARCHIVE"])
        data = FileRef(archive, hashlib.sha256(archive.read_bytes()).hexdigest())
        settle(unpack(DATA, data, Path(folder)), Path(folder))
    names = list(sound)
    for index, name in enumerate(names):
        algorithm = read_algorithm(name)
        import_algorithm(algorithm)
        found[name] = {}
        for what, content in trainings.items():
            if name == "lephare" and what == "training of three rows":
                continue  # it looks at no training set, and would compute its library for a minute
            task = _inform_task(algorithm, Path(folder, name, what))
            work = Work(task, algorithm, "attempt", None, content)
            found[name][what] = told(name, lambda work=work, task=task: work.run(task.units[0]))
        own, other = sound[name], sound[names[index - 1]]
        bad = {"truncated model": own[: len(own) // 2], "model cut at its end": own[:-4], "no pickle": b"model"}
        bad |= {"empty model": b"", "model of another algorithm": other}
        for what, content in bad.items():
            found[name][what] = told(name, lambda content=content, name=name: load(name, content))
        found[name]["sound model"] = told(name, lambda name=name: load(name, sound[name]))
    return found


def _inform_task(algorithm: Any, folder: Path) -> Any:
    from ponte_rail.task import read_task

    folder.mkdir(parents=True)
    unit = {"unitId": "0" * 64, "input": None, "outputDir": str(folder), "exitRecord": str(folder / "exit.json")}
    training = {"path": str(folder / "training.parquet"), "sha256": "0" * 64}
    task = {"version": 1, "kind": "inform", "workKey": "0" * 64, "algorithm": algorithm.name, "threads": 1}
    task |= {"configurationDigest": algorithm.digest, "training": training, "heldOut": {"fraction": 0.1, "seed": 42}}
    path = folder / "task.json"
    path.write_text(json.dumps(task | {"model": None, "units": [unit]}))
    return read_task(path)


def _bad_trainings(training: str) -> dict[str, bytes]:
    table = pq.read_table(training).slice(0, 200)

    def written(table: pa.Table) -> bytes:
        target = pa.BufferOutputStream()
        pq.write_table(table, target)
        return target.getvalue().to_pybytes()

    def replaced(names: list[str], value: float | None) -> pa.Table:
        changed = table
        for name in names:
            column = pa.array([value] * len(table), table.schema.field(name).type)
            changed = changed.set_column(table.column_names.index(name), name, column)
        return changed

    content = written(table)
    magnitudes = [name for name in table.column_names if name.startswith("mag")]
    return {
        "truncated training": content[: len(content) // 2],
        "empty training file": b"",
        "no Parquet training": b"redshift,mag_u\n0.5,24\n",
        "training without redshift": written(table.drop_columns(["redshift"])),
        "training without a band": written(table.drop_columns(["mag_r"])),
        "training without rows": written(table.slice(0, 0)),
        "training of one row": written(table.slice(0, 1)),
        "training with repeated ids": written(pa.concat_tables([table, table])),
        "training without known redshifts": written(replaced(["redshift"], None)),
        "training beyond the grid": written(replaced(["redshift"], 9.0)),
        "training of three rows": written(table.slice(0, 3)),
        "training without measurements": written(replaced(magnitudes, None)),
    }


if __name__ == "__main__":
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # RAIL logs to standard output, and LePHARE's C++ prints there
    result = globals()[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(result), file=output)
