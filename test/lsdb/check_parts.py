"""Compares what goes with a delivered catalogue - margin, index, p(z) - with brute force, by way of LSDB.

    python check_parts.py FOLDER

Checks: hats accepts the collection strictly; every row within the threshold of a partition's edge, by distances to
points along the edge that cdshealpix gives, is in that partition's margin, and nothing far away is; `id_search`
returns exactly the objects asked for; `load_extension("pz")`, or a join by objectId where LSDB knows no extensions,
joins p(z) to every object that has estimates, with the peak where `z_mode` says; the thumbnail of p(z) is the one that
hats makes. Prints one JSON line; exits with status 1 when anything disagrees.
"""

import json
import logging
import sys
import warnings
from pathlib import Path

import lsdb
import numpy as np
import pyarrow.parquet as pq
from cdshealpix.nested import vertices
from check_catalogue import check_index, check_thumbnail
from hats.io.validation import is_valid_catalog

RADIANS_PER_ARCSEC = np.pi / 180 / 3600
# Points along each edge; between them the chord is followed.
EDGE_STEPS = 512


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def edge_points(order: int, pixel: int) -> np.ndarray:
    lon, lat = vertices(np.array([pixel], dtype=np.uint64), order, step=EDGE_STEPS)
    return unit_vectors(np.asarray(lon.deg if hasattr(lon, "deg") else np.degrees(lon)).ravel(),
                        np.asarray(lat.deg if hasattr(lat, "deg") else np.degrees(lat)).ravel())


def nearest_edge_arcsec(points: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Distance to the polyline through `edge`, whose chords bulge from the true edge by far less than 0.01 arcsec."""
    found = np.full(len(points), np.inf)
    ends = np.roll(edge, -1, axis=0)
    along = ends - edge
    length = np.maximum((along**2).sum(axis=1), 1e-30)
    for start in range(0, len(points), 256):
        block = points[start : start + 256, None, :] - edge[None, :, :]
        share = np.clip((block * along).sum(axis=2) / length, 0, 1)
        nearest = block - share[..., None] * along
        found[start : start + 256] = np.sqrt((nearest**2).sum(axis=2)).min(axis=1)
    return found / RADIANS_PER_ARCSEC


def check_margin(folder: Path, catalog, table) -> dict:
    info = catalog.hc_structure.catalog_info
    threshold = float(catalog.margin.hc_structure.catalog_info.margin_threshold)
    points = unit_vectors(table[info.ra_column].to_numpy(float), table[info.dec_column].to_numpy(float))
    index = table["_healpix_29"].to_numpy() if "_healpix_29" in table else table.index.to_numpy()
    ids = table["objectId"].to_numpy(np.int64)
    margin = {(p.order, p.pixel): p for p in catalog.margin.get_healpix_pixels()}
    margin_folder = next(folder.glob("*arcs"))
    needed_rows, kept, missing, far, vertex_rows, polar_rows = 0, 0, 0, 0, 0, 0
    for pixel in catalog.get_healpix_pixels():
        inside = (index >> (2 * (29 - pixel.order))) == pixel.pixel
        edge = edge_points(pixel.order, pixel.pixel)
        centre = edge.mean(axis=0)
        reach = np.sqrt(((edge - centre) ** 2).sum(axis=1).max()) + 100 * RADIANS_PER_ARCSEC
        near = np.flatnonzero(~inside & (((points - centre) ** 2).sum(axis=1) < reach**2))
        distance = nearest_edge_arcsec(points[near], edge)
        needed = near[distance < threshold]
        held = np.empty(0, np.int64)
        if (pixel.order, pixel.pixel) in margin:
            leaf = f"Norder={pixel.order}/Dir={pixel.pixel // 10000 * 10000}/Npix={pixel.pixel}.parquet"
            held = pq.ParquetFile(margin_folder / "dataset" / leaf).read(["objectId"])["objectId"].to_numpy()
        missing += int((~np.isin(ids[needed], held)).sum())
        # Three cells of order 13 across a corner.
        far += int((~np.isin(held, ids[near[distance < 80]])).sum())
        needed_rows += len(needed)
        kept += len(held)
        corners = edge[:: EDGE_STEPS]
        vertex_rows += int((((points[needed][:, None] - corners) ** 2).sum(axis=2).min(axis=1)
                            < (threshold * RADIANS_PER_ARCSEC) ** 2).sum()) if len(needed) else 0
        polar_rows += int((np.abs(points[needed][:, 2]) > np.sin(np.radians(60))).sum())
    return {"needed": needed_rows, "held": kept, "missing": missing, "far": far, "at_vertices": vertex_rows,
            "beyond_60_degrees": polar_rows}


def join_posteriors(folder: Path, catalog):
    if hasattr(catalog, "load_extension"):
        return catalog.load_extension("pz")
    # LSDB 0.11.0 passes over extensions; p(z) is a catalogue like any other.
    posteriors = lsdb.open_catalog(next(folder.glob("*_pz")))
    on = {"left_on": "objectId", "right_on": "objectId"}
    return catalog.join(posteriors, **on, suffixes=("", "_of_pz"), suffix_method="overlapping_columns")


def check_posteriors(folder: Path, catalog, table) -> dict:
    joined = join_posteriors(folder, catalog).compute()
    algorithms = [name[: -len("_pz_peak")] for name in joined.columns if name.endswith("_pz_peak")]
    common = next(folder.glob("*_pz/dataset/_common_metadata"))
    grid = json.loads(pq.read_metadata(common).metadata[b"ponte.grid"])
    z = np.linspace(grid["zMin"], grid["zMax"], grid["points"])
    result = {"rows": len(joined), "algorithms": algorithms, "unlike_estimates": 0, "peaks_elsewhere": 0, "with_pz": 0}
    for name in algorithms:
        has = joined[f"{name}_pz"].notna().to_numpy()
        estimated = joined[f"{name}_z_mode"].notna().to_numpy()
        result["unlike_estimates"] += int((has != estimated).sum())
        packed = np.frombuffer(b"".join(joined[f"{name}_pz"][has]), dtype=np.uint8).reshape(-1, len(z))
        at_mode = np.rint((joined[f"{name}_z_mode"][has].to_numpy(float) - z[0]) / (z[1] - z[0])).astype(int)
        result["peaks_elsewhere"] += int((packed[np.arange(len(packed)), at_mode] != 255).sum())
        result["with_pz"] += int(has.sum())
    return result


def main() -> int:
    folder = Path(sys.argv[1])
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    result = {"lsdb": lsdb.__version__, "strictly_valid": is_valid_catalog(folder, strict=True)}
    catalog = lsdb.open_catalog(folder, columns="all")
    result["extensions"] = hasattr(catalog, "load_extension")
    table = catalog.compute()
    result["margin"] = check_margin(folder, catalog, table) if catalog.margin is not None else None
    result["index"] = check_index(catalog, table)
    result["posteriors"] = check_posteriors(folder, catalog, table)
    result["thumbnail"] = check_thumbnail(next(folder.glob("*_pz")))
    margin = result["margin"]
    result["agrees"] = bool(
        result["strictly_valid"]
        and (margin is None or margin["missing"] == margin["far"] == 0)
        and result["index"]["found_same"]
        and result["thumbnail"] == {"rows": int(catalog.npartitions), "same_as_hats": True}
        and result["posteriors"]["rows"] == len(table)
        and result["posteriors"]["with_pz"] > 0
        and result["posteriors"]["unlike_estimates"] == result["posteriors"]["peaks_elsewhere"] == 0
    )
    print(json.dumps(result))
    return 0 if result["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
