"""Runs the cells of docs/astronomer.ipynb on a collection, in order, and compares what they found with brute force.

    python run_notebook.py NOTEBOOK FOLDER

An Object catalogue is made beside the collection, with a flux that is a function of the id. Only the cell tagged
`parameters` is followed by other values. Prints one JSON line; exits with status 1 when anything disagrees.
"""

import contextlib
import io
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import lsdb
import numpy as np
import pyarrow.parquet as pq
from check_catalogue import ARCSEC, separations_deg

ALGORITHM = "bpz"


def flux_of(ids: np.ndarray) -> np.ndarray:
    return (ids % 1009).astype(np.float64)


def write_objects(table, ra: str, dec: str, folder: Path) -> None:
    objects = table[["objectId", ra, dec]].reset_index(drop=True)
    objects["r_cModelFlux"] = flux_of(objects["objectId"].to_numpy(np.int64))
    catalog = lsdb.from_dataframe(objects, ra_column=ra, dec_column=dec, catalog_name="object", margin_threshold=None)
    catalog.write_catalog(folder, catalog_name="object")


def run_cells(notebook: Path, parameters: dict) -> tuple[dict, int, str]:
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    space: dict = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for number, cell in enumerate(cells):
            exec(compile("".join(cell["source"]), f"{notebook.name}, code cell {number + 1}", "exec"), space)
            if "parameters" in cell["metadata"].get("tags", []):
                space.update(parameters)
    return space, len(cells), printed.getvalue()


def same_ids(frame, expected: np.ndarray) -> bool:
    return np.array_equal(np.sort(frame["objectId"].to_numpy(np.int64)), np.sort(expected))


def check(notebook: Path, folder: Path, scratch: Path) -> dict:
    catalog = lsdb.open_catalog(folder, columns="all")
    info = catalog.hc_structure.catalog_info
    table = catalog.compute()
    ra, dec = table[info.ra_column].to_numpy(float), table[info.dec_column].to_numpy(float)
    ids = table["objectId"].to_numpy(np.int64)
    write_objects(table, info.ra_column, info.dec_column, scratch / "object")

    distances = separations_deg(ra, dec, ra[0], dec[0])
    # Between two objects, so that none lies on the edge within rounding.
    nearest = np.sort(distances)[:301]
    radius = (nearest[-1] + nearest[-2]) / 2
    field = {"RA": ra[0], "DEC": dec[0], "RADIUS_ARCSEC": radius * ARCSEC, "ALGORITHM": ALGORITHM}
    places = {"PHOTOZ": str(folder), "OBJECTS": str(scratch / "object")}
    space, cells, printed = run_cells(notebook, {**places, **field})

    inside = distances <= radius
    flags = table[f"{ALGORITHM}_flags"].to_numpy(float)
    joined = space["joined"]

    leaves = [pq.ParquetFile(path).read() for path in folder.glob("*_pz/dataset/Norder=*/Dir=*/Npix=*.parquet")]
    rows = [row for leaf in leaves for row in leaf.select(["objectId", f"{ALGORITHM}_pz", f"{ALGORITHM}_pz_peak"]).to_pylist()]
    wanted = set(ids[inside].tolist())
    kept = [row for row in rows if row["objectId"] in wanted and row[f"{ALGORITHM}_pz"] is not None]
    z = space["z"]
    densities = [np.frombuffer(row[f"{ALGORITHM}_pz"], np.uint8) * row[f"{ALGORITHM}_pz_peak"] / 255 for row in kept]
    # qp scales every p(z) to an integral of 1; those made for tests have another.
    stacked = np.mean([density / np.trapezoid(density, z) for density in densities], axis=0)
    result = {
        "cells": cells,
        "objects": int(inside.sum()),
        "cone_same": same_ids(space["frame"], ids[inside]),
        "good_same": same_ids(space["good"], ids[inside & (flags == 0)]),
        "joined_same": bool(
            same_ids(joined, ids[inside])
            and np.array_equal(joined["r_cModelFlux"].to_numpy(float), flux_of(joined["objectId"].to_numpy(np.int64)))
        ),
        "stacked": len(kept),
        "stacked_same": bool(space["pz"].npdf == len(kept)),
        "n_of_z_differs": float(np.abs(space["n_of_z"] - stacked).max() / stacked.max()),
        "printed": printed.strip().split("\n"),
    }
    result["agrees"] = bool(
        result["cone_same"]
        and result["good_same"]
        and result["joined_same"]
        and result["stacked_same"]
        and result["n_of_z_differs"] < 1e-6
    )
    return result


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as scratch:
        result = check(Path(sys.argv[1]), Path(sys.argv[2]), Path(scratch))
    print(json.dumps(result))
    return 0 if result["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
