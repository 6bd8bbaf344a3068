"""Opens a delivered collection the way an astronomer does, and compares it with brute force.

    python check_catalogue.py FOLDER --expected-rows N [--index FOLDER]

Checks, with LSDB and NumPy only: hats accepts it strictly; the number of rows; that `_healpix_29` is that of the
coordinates; that cone searches, at the places with most rows and at random ones, return exactly the objects that lie
within the radius; that the thumbnail is the one that hats makes of the leaves; with `--index`, that `id_search` returns
exactly the objects asked for. Prints one JSON line; exits with status 1 when anything disagrees.
"""

import argparse
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import hats
import lsdb
import numpy as np
import pyarrow.parquet as pq
from hats.io.parquet_metadata import write_parquet_metadata
from hats.io.paths import get_data_thumbnail_pointer
from hats.io.validation import is_valid_catalog
from hats.pixel_math.spatial_index import compute_spatial_index

ARCSEC = 3600.0


def separations_deg(ra: np.ndarray, dec: np.ndarray, at_ra: float, at_dec: float) -> np.ndarray:
    """Angles on the sphere, by the formula that is exact at any distance (Vincenty)."""
    lon, lat, lon0, lat0 = np.radians(ra), np.radians(dec), np.radians(at_ra), np.radians(at_dec)
    delta = lon - lon0
    across = np.hypot(
        np.cos(lat) * np.sin(delta),
        np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(delta),
    )
    along = np.sin(lat0) * np.sin(lat) + np.cos(lat0) * np.cos(lat) * np.cos(delta)
    return np.degrees(np.arctan2(across, along))


def cone_disagreements(catalog, table, ra: str, dec: str, cones: int) -> tuple[int, int]:
    """Searches cones around objects of the catalogue; returns (objects found in all, cones that disagree)."""
    generator = np.random.default_rng(7)
    ras, decs = table[ra].to_numpy(dtype=float), table[dec].to_numpy(dtype=float)
    identifiers = table["objectId"].to_numpy(dtype=np.int64)
    found_in_all, disagreements = 0, 0
    for centre in generator.choice(len(table), min(cones, len(table)), replace=False):
        distances = separations_deg(ras, decs, ras[centre], decs[centre])
        # A radius between two objects, so that no object lies on the edge within rounding.
        nearest = np.sort(distances)[: min(200, len(table))]
        radius = (nearest[-1] + nearest[-2]) / 2 if len(nearest) > 2 else 1.0
        expected = np.sort(identifiers[distances <= radius])
        cone = catalog.cone_search(ras[centre], decs[centre], radius * ARCSEC).compute()
        found = np.sort(cone["objectId"].to_numpy(dtype=np.int64))
        found_in_all += len(found)
        disagreements += not np.array_equal(found, expected)
    return found_in_all, disagreements


def check_index(catalog, table, **where) -> dict:
    generator = np.random.default_rng(3)
    asked = generator.choice(table["objectId"].to_numpy(np.int64), min(40, len(table)), replace=False)
    # An id between two that exist leads nowhere.
    absent = [int(asked[0]) + 1]
    found = catalog.id_search(values={"objectId": [int(value) for value in asked] + absent}, **where).compute()
    return {"asked": len(asked), "found_same": sorted(found["objectId"].to_list()) == sorted(int(v) for v in asked)}


def check_thumbnail(folder: Path) -> dict:
    ours = pq.read_table(get_data_thumbnail_pointer(folder))
    with tempfile.TemporaryDirectory() as scratch:
        # Until 0.11.0 hats wrote a thumbnail beside the leaves, whatever the output path: not over ours.
        source, output = Path(scratch, "source"), Path(scratch, "output")
        source.mkdir()
        (source / "dataset").symlink_to((folder / "dataset").resolve())
        write_parquet_metadata(
            source, output_path=output, create_thumbnail=True, create_metadata=False, order_by_healpix=False
        )
        made = [get_data_thumbnail_pointer(place) for place in (source, output)]
        theirs = pq.read_table(next(path for path in made if path.exists()))
    common = pq.read_schema(folder / "dataset" / "_common_metadata")
    same = ours.schema.equals(common, check_metadata=True) and ours.equals(theirs)
    return {"rows": ours.num_rows, "same_as_hats": bool(same)}


def check(folder: str, expected_rows: int | None, cones: int, index_folder: str | None) -> dict:
    valid = is_valid_catalog(folder, strict=True)
    if not valid:
        return {"strictly_valid": False, "agrees": False}
    catalog = lsdb.open_catalog(folder, columns="all")
    info = catalog.hc_structure.catalog_info
    table = catalog.compute()
    ra, dec = info.ra_column, info.dec_column
    index = table.index.to_numpy() if table.index.name == "_healpix_29" else table["_healpix_29"].to_numpy()
    index_mismatches = int(np.sum(index != compute_spatial_index(table[ra].to_numpy(), table[dec].to_numpy())))
    default = lsdb.open_catalog(folder)
    cone_rows, cone_disagreements_ = cone_disagreements(default, table, ra, dec, cones)
    result = {
        "hats": hats.__version__,
        "lsdb": lsdb.__version__,
        "strictly_valid": bool(valid),
        "rows": len(table),
        "rows_declared": int(info.total_rows),
        "unique_ids": int(table["objectId"].nunique()),
        "partitions": int(catalog.npartitions),
        "default_columns": list(default.columns),
        "index_mismatches": index_mismatches,
        "cone_rows": cone_rows,
        "cone_disagreements": cone_disagreements_,
        "thumbnail": check_thumbnail(Path(catalog.hc_structure.catalog_path)),
    }
    if index_folder:
        result["index"] = check_index(default, table, index_catalogs={"objectId": index_folder})
    rows = len(table)
    result["agrees"] = bool(
        valid
        and rows == info.total_rows == result["unique_ids"]
        and (expected_rows is None or rows == expected_rows)
        and index_mismatches == 0
        and cone_disagreements_ == 0
        and result["thumbnail"] == {"rows": result["partitions"], "same_as_hats": True}
        and (not index_folder or result["index"]["found_same"])
    )
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--expected-rows", type=int)
    parser.add_argument("--cones", type=int, default=5)
    parser.add_argument("--index", help="the folder of an index by objectId: also search by it")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    result = check(arguments.folder, arguments.expected_rows, arguments.cones, arguments.index)
    print(json.dumps(result))
    return 0 if result["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
