"""The files a unit leaves: written under a temporary name, synced, then renamed, so that a name means a whole file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ponte_rail.algorithm import Algorithm
from ponte_rail.estimates import NAMES, Points

OutputName = Literal["points", "pdf", "archive", "model", "evaluation"]

FILE_NAMES: dict[OutputName, str] = {
    "points": "points.parquet",
    "pdf": "pdf.parquet",
    "archive": "archive.hdf5",
    "model": "model.pkl",
    "evaluation": "evaluation.json",
}

_DIGEST_BLOCK = 1 << 20


@dataclass(frozen=True)
class ProducedFile:
    """`producedFileSchema` of core/job.ts."""

    name: OutputName
    path: Path
    sha256: str
    size_bytes: int
    rows: int | None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "path": str(self.path),
            "sha256": self.sha256,
            "sizeBytes": self.size_bytes,
            "rows": self.rows,
        }


def temporary_name(folder: Path, attempt_id: str, name: str) -> Path:
    """Names that `remove_leftovers` finds again, and that no other attempt uses."""
    return folder / f".{attempt_id}.{name}"


def remove_leftovers(folder: Path, attempt_id: str) -> None:
    """What a killed attempt left half written. RAIL prefixes its own temporary files with `inprogress_`."""
    for pattern in (f".{attempt_id}.*", f"inprogress_.{attempt_id}.*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def produce(
    name: OutputName, folder: Path, attempt_id: str, rows: int | None, write: Callable[[Path], None]
) -> ProducedFile:
    """Lets `write` fill a temporary file, then makes it durable and gives it its name."""
    temporary = temporary_name(folder, attempt_id, FILE_NAMES[name])
    write(temporary)
    digest, size = sync(temporary)
    target = folder / FILE_NAMES[name]
    os.rename(temporary, target)
    sync_folder(folder)
    return ProducedFile(name, target, digest, size, rows)


def sync(path: Path) -> tuple[str, int]:
    """Forces the content to disk; its sha256 and size, as read back."""
    total = hashlib.sha256()
    size = 0
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        while block := file.read(_DIGEST_BLOCK):
            total.update(block)
            size += len(block)
    return total.hexdigest(), size


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def points_table(
    algorithm: Algorithm,
    object_id: NDArray[np.int64],
    points: Points,
    template: NDArray[np.float64] | None,
    flags: NDArray[np.int32],
) -> pa.Table:
    """`objectId`, the nine numbers (NULL where there is no estimate), the best template where the algorithm has
    templates, and the flags."""
    fields = [pa.field("objectId", pa.int64(), nullable=False)]
    fields += [pa.field(f"{algorithm.name}_{name}", pa.float32()) for name in NAMES]
    columns = [pa.array(object_id), *(pa.array(points[name], from_pandas=True) for name in NAMES)]
    if template is not None:
        fields += [pa.field(f"{algorithm.name}_template", pa.int32())]
        known = np.isfinite(template) & np.isfinite(points["z_mode"])
        columns += [pa.array(np.where(known, template, 0).astype(np.int32), mask=~known)]
    fields += [pa.field(f"{algorithm.name}_flags", pa.int32(), nullable=False)]
    columns += [pa.array(flags)]
    return pa.table(columns, schema=pa.schema(fields, metadata=_provenance(algorithm)))


def pdf_schema(algorithm: Algorithm) -> pa.Schema:
    """`objectId`, `pz` (a byte per grid point) and `pz_peak`, the last two NULL where there is no estimate."""
    fields = [pa.field("objectId", pa.int64(), nullable=False), pa.field("pz", pa.binary())]
    fields += [pa.field("pz_peak", pa.float32())]
    grid = {"zMin": algorithm.z_min, "zMax": algorithm.z_max, "points": algorithm.grid_points}
    return pa.schema(fields, metadata={**_provenance(algorithm), "ponte.grid": json.dumps(grid)})


def pdf_batch(
    schema: pa.Schema, object_id: NDArray[np.int64], packed: list[bytes | None], peaks: NDArray[np.float32]
) -> pa.RecordBatch:
    columns = [pa.array(object_id), pa.array(packed, pa.binary()), pa.array(peaks, from_pandas=True)]
    return pa.record_batch(columns, schema=schema)


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """zstd, without dictionaries: the columns hold few repeated values. Equal input gives equal bytes.

    Without the Arrow schema pyarrow leaves the key-value metadata out too, so that is written by itself.
    """
    writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False, store_schema=False)
    writer.add_key_value_metadata({key.decode(): value.decode() for key, value in (schema.metadata or {}).items()})
    return writer


def _provenance(algorithm: Algorithm) -> dict[str, str]:
    return {"ponte.algorithm": algorithm.name, "ponte.configurationDigest": algorithm.digest}
