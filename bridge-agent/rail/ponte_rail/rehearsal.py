"""One made-up part through inform and estimate, by the worker itself: what `ponte agent doctor` runs on a node."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from ponte_rail.threads import pin_threads

ALGORITHM = "bpz"
"""It needs the most of the environment: its packages, and the template fluxes that the installation computes."""

TRAINING_ROWS, PART_ROWS = 200, 100

_SEED = 1


def rehearse(folder: Path) -> int:
    """Trains on made-up galaxies, estimates others in a second task, and gives the rows that came back. Writes to
    `folder` only. Raises RuntimeError with the worker's own error."""
    pin_threads()
    training = _write_galaxies(folder / "training.parquet", TRAINING_ROWS, with_redshift=True)
    model = _run(folder, "inform", {"training": training, "heldOut": {"fraction": 0.1, "seed": _SEED}, "model": None})
    part = _write_galaxies(folder / "part.parquet", PART_ROWS, with_redshift=False)
    points = _run(folder, "estimate", {"training": None, "heldOut": None, "model": _reference(model)}, part)
    import pyarrow.parquet as pq

    return pq.read_metadata(points).num_rows


def _write_galaxies(path: Path, rows: int, *, with_redshift: bool) -> dict[str, str]:
    """Magnitudes of no real galaxy: redder and fainter with redshift, with errors of a tenth."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ponte_rail.algorithm import REGISTERED, read_algorithm

    algorithm = read_algorithm(ALGORITHM, REGISTERED)
    random = np.random.default_rng(_SEED)
    redshift = random.uniform(0.1, 2.0, rows)
    columns: dict[str, Any] = {"objectId": np.arange(rows, dtype=np.int64)}
    for index, band in enumerate(algorithm.bands):
        magnitude = 24 + redshift - 0.4 * index + random.normal(0, 0.1, rows)
        columns[f"mag_{band}"] = magnitude.astype(np.float32)
        columns[f"magerr_{band}"] = np.full(rows, 0.1, np.float32)
    if with_redshift:
        columns["redshift"] = redshift.astype(np.float32)
    pq.write_table(pa.table(columns), path)
    return _reference(path)


def _run(folder: Path, kind: str, inputs: dict[str, Any], part: dict[str, str] | None = None) -> Path:
    """One task of one unit; the first file that it left."""
    from ponte_rail.algorithm import REGISTERED, read_algorithm
    from ponte_rail.events import Events
    from ponte_rail.task import read_task
    from ponte_rail.worker import Worker

    work_key = hashlib.sha256(kind.encode()).hexdigest()
    record = folder / f"{kind}.record.json"
    unit = {
        "unitId": work_key,
        "input": None if part is None else {**part, "rows": PART_ROWS},
        "outputDir": str(folder / kind),
        "exitRecord": str(record),
    }
    task = {
        "version": 1,
        "kind": kind,
        "workKey": work_key,
        "algorithm": ALGORITHM,
        "configurationDigest": read_algorithm(ALGORITHM, REGISTERED).digest,
        "threads": 1,
        "units": [unit],
        **inputs,
    }
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(task))
    Worker(read_task(path), REGISTERED, Events(), time.monotonic()).run()
    content = json.loads(record.read_text())
    if content["error"] is not None:
        raise RuntimeError(f"{kind}: {content['error']['code']}: {content['error']['message']}")
    return Path(content["outputs"][0]["path"])


def _reference(path: Path) -> dict[str, str]:
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
