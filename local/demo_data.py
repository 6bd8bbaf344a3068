"""The demo's release, from the DC2 galaxies that ship inside pz-rail-base (cosmoDC2 v1.1.4, ten years of errors).

`python demo_data.py make FOLDER [CHUNKS]` leaves
    release/manifest.json, release/dc2-demo-NN.parquet   the object catalogue, without redshifts
    training/training.parquet                            objects with redshifts
    truth/truth.parquet                                  the catalogue's redshifts, for tests only
`python demo_data.py damage SOURCE TARGET` copies a chunk with one bit of a data page changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

BANDS = "ugrizy"
NOT_DETECTED = 99.0

NSIDE, PIXEL = 32, 9816
"""The galaxies' HEALPix pixel: RING ordering, centred at ra 67.5, dec -37.2 (cosmoDC2 names its files so)."""

NOTE = (
    "The catalogue has no coordinates of its own. Each object has been given a place that depends on its id alone, "
    "uniform on the sphere inside its HEALPix pixel (nside 32, RING, 9816)."
)


def make(folder: Path, chunks: int) -> None:
    catalogue, training = _read("validation"), _read("training")
    for name in ("release", "training", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_release(folder / "release", catalogue, chunks)
    _write(folder / "training" / "training.parquet", _training_table(training))
    _write(folder / "truth" / "truth.parquet", pa.table({"id": catalogue["id"], "redshift": catalogue["redshift"]}))


def _read(which: str) -> dict[str, NDArray[Any]]:
    source = files("rail.examples_data") / "testdata" / f"test_dc2_{which}_9816.hdf5"
    with h5py.File(str(source)) as file:
        return {name: column[:] for name, column in file["photometry"].items()}


def _write_release(folder: Path, catalogue: dict[str, NDArray[Any]], chunks: int) -> None:
    ra, dec = coordinates(catalogue["id"])
    names = [f"{kind}_{band}_lsst" for band in BANDS for kind in ("mag", "mag_err")]
    columns = {"id": catalogue["id"], "ra": ra, "dec": dec} | {name: catalogue[name] for name in names}
    table = pa.table(columns).replace_schema_metadata({"ponte.note": NOTE, "ponte.release": "dc2-demo"})
    entries = []
    for index in range(chunks):
        start, stop = len(table) * index // chunks, len(table) * (index + 1) // chunks
        path = folder / f"dc2-demo-{index + 1:02d}.parquet"
        _write(path, table.slice(start, stop - start))
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        entries.append({"name": path.name, "sha256": digest, "sizeBytes": len(content), "rows": stop - start})
    head = {
        "version": 1,
        "release": "dc2-demo",
        "profile": "dc2-rail",
        "note": NOTE,
        "keyNumbers": {"rows": len(table)},
    }
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (folder / "manifest.json").write_text(f'{json.dumps(head)[:-1]}, "chunks": [\n{lines}\n]}}\n')


def _training_table(training: dict[str, NDArray[Any]]) -> pa.Table:
    columns: dict[str, Any] = {"objectId": training["id"], "redshift": training["redshift"]}
    missing = {band: training[f"mag_{band}_lsst"] == NOT_DETECTED for band in BANDS}
    for ours, theirs in (("mag", "mag"), ("magerr", "mag_err")):
        columns |= {f"{ours}_{band}": pa.array(training[f"{theirs}_{band}_lsst"], mask=missing[band]) for band in BANDS}
    return pa.table(columns)


def _write(path: Path, table: pa.Table) -> None:
    """Plain snappy pages, as surveys ship them: no checksum inside the file would notice a changed byte."""
    pq.write_table(table, path, compression="snappy", use_dictionary=False)


def coordinates(ids: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(ra, dec) in degrees, uniform in area inside the pixel.

    The pixel lies in HEALPix's equatorial zone, where it is a diamond in (longitude, sin latitude) and that projection
    preserves areas (Gorski et al. 2005, ApJ 622, 759, section 5). Their eq. 9 puts every other ring one place too far
    east; the HEALPix code, followed here, does not.
    """
    ring = (PIXEL - 2 * NSIDE * (NSIDE - 1)) // (4 * NSIDE) + NSIDE
    place = (PIXEL - 2 * NSIDE * (NSIDE - 1)) % (4 * NSIDE) + 1
    shift = 1.0 if (ring + NSIDE) % 2 == 1 else 0.5
    longitude = np.pi / (2 * NSIDE) * (place - shift)
    sine = 4 / 3 - 2 * ring / (3 * NSIDE)
    u, v = _uniform(ids, 0), _uniform(ids, 1)
    ra = longitude + (u - v) * np.pi / (4 * NSIDE)
    dec = np.arcsin(sine + (u + v - 1) * 2 / (3 * NSIDE))
    return np.degrees(ra), np.degrees(dec)


def _uniform(ids: NDArray[np.int64], stream: int) -> NDArray[np.float64]:
    """In [0, 1), from the id alone: the SplitMix64 finaliser (Steele et al. 2014, OOPSLA), 53 bits of it."""
    x = ids.astype(np.uint64) * np.uint64(2) + np.uint64(stream)
    x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


def damage(source: Path, target: Path) -> None:
    """Changes the lowest bit of one byte so that the file still reads, with as many rows and one magnitude
    that is off by less than 0.01: only the digest can tell."""
    content = source.read_bytes()
    name = "mag_i_lsst"
    intact = pq.read_table(pa.BufferReader(content))
    metadata = pq.read_metadata(pa.BufferReader(content)).row_group(0)
    column = metadata.column(intact.column_names.index(name))
    middle = column.data_page_offset + column.total_compressed_size // 2
    for offset in range(middle, column.data_page_offset + column.total_compressed_size):
        changed = bytearray(content)
        changed[offset] ^= 1
        if _differs_slightly(intact, bytes(changed), name):
            target.write_bytes(changed)
            return
    raise SystemExit(f"{source}: no byte of {name} can be changed without breaking the file")


def _differs_slightly(intact: pa.Table, changed: bytes, name: str) -> bool:
    try:
        table = pq.read_table(pa.BufferReader(changed))
    except (pa.ArrowException, OSError):
        return False
    if table.num_rows != intact.num_rows or table.drop([name]) != intact.drop([name]):
        return False
    difference = np.abs(table[name].to_numpy().astype(np.float64) - intact[name].to_numpy())
    return np.count_nonzero(difference) == 1 and 1e-5 < difference.max() < 1e-2


def main(arguments: Sequence[str]) -> None:
    match list(arguments):
        case ["make", folder]:
            make(Path(folder), 6)
        case ["make", folder, chunks]:
            make(Path(folder), int(chunks))
        case ["damage", source, target]:
            damage(Path(source), Path(target))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
