"""What packing p(z) into bytes costs, in the RAIL environment, with the worker's code.

    python posterior_error.py pack PDF_PARQUET...
    python posterior_error.py compare ALGORITHM PDF_PARQUET COLLECTION

The first packs the p(z) of files that also hold them as doubles. The second compares the delivered bytes with the worker's
packing of those, unpacks them with qp, and prints one JSON line: the Wasserstein distance W1 between each p(z) and its
packed form (in z; median and 99 %), and the L1 distance between the stacked N(z), each normalised to 1.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import qp
from ponte_rail.packing import pack
from qp.parameterizations.packed_interp.packing_utils import PackingType


def densities(table: pa.Table) -> np.ndarray:
    return np.asarray(table["pdf"].combine_chunks().values).reshape(len(table), -1)


def pack_file(path: str) -> None:
    """Where the file has bytes already, others take their place; its key-value metadata stay."""
    table = pq.read_table(path)
    known = table["pz"].is_valid().to_numpy(zero_copy_only=False)
    packed, peaks = pack(densities(table), known, table["objectId"].to_numpy())
    for name, values in (("pz", pa.array(packed, pa.binary())), ("pz_peak", pa.array(peaks, from_pandas=True))):
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, path, compression="zstd")


def read_packed(collection: Path, algorithm: str) -> tuple[dict[int, bytes], dict[int, float], np.ndarray]:
    dataset = next(collection.glob("*_pz")) / "dataset"
    grid = json.loads(pq.read_metadata(dataset / "_common_metadata").metadata[b"ponte.grid"])
    packed, peaks = {}, {}
    for leaf in sorted(dataset.rglob("Npix=*.parquet")):
        table = pq.ParquetFile(leaf).read(columns=["objectId", f"{algorithm}_pz", f"{algorithm}_pz_peak"]).to_pydict()
        for object_id, values, peak in zip(*table.values()):
            if values is not None:
                packed[object_id], peaks[object_id] = values, peak
    return packed, peaks, np.linspace(grid["zMin"], grid["zMax"], grid["points"])


def compare(algorithm: str, pdf_path: str, collection: Path) -> None:
    packed, peaks, z = read_packed(collection, algorithm)
    table = pq.ParquetFile(pdf_path).read()
    ids = table["objectId"].to_numpy()
    known = np.array([value in packed for value in ids.tolist()])
    pdf = densities(table)[known]
    ids = ids[known]

    ours = np.stack([np.frombuffer(packed[value], np.uint8) for value in ids.tolist()])
    peak = np.array([peaks[value] for value in ids.tolist()], np.float64)[:, None]
    repacked, _ = pack(pdf, np.ones(len(pdf), np.bool_), ids)
    ensemble = qp.Ensemble(
        qp.packed_interp,
        data={"xvals": z, "ypacked": ours, "ymax": peak, "packing_type": PackingType.linear_from_rowmax},
    )
    unpacked = ensemble.pdf(z)

    def normalised(values: np.ndarray) -> np.ndarray:
        return values / np.trapezoid(values, z, axis=1)[:, None]

    exact, coarse = normalised(pdf), normalised(peak * ours / 255.0)
    step = z[1] - z[0]
    w1 = np.abs(np.cumsum(exact - coarse, axis=1) * step).sum(axis=1) * step
    stacked, stacked_coarse = exact.mean(axis=0), coarse.mean(axis=0)
    print(
        json.dumps(
            {
                "algorithm": algorithm,
                "rows": len(ids),
                "unlike_worker": sum(packed[value] != each for value, each in zip(ids.tolist(), repacked)),
                "peak_relative": float(np.max(np.abs(np.ravel(peak) / pdf.max(axis=1) - 1))),
                "qp_unpacked_relative": float(np.max(np.abs(normalised(unpacked) - coarse) / coarse.max(axis=1)[:, None])),
                "w1_median": float(np.median(w1)),
                "w1_99": float(np.quantile(w1, 0.99)),
                "nz_l1": float(np.abs(stacked - stacked_coarse).sum() * step),
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1] == "pack":
        for file in sys.argv[2:]:
            pack_file(file)
    else:
        compare(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
