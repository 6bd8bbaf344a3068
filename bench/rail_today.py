"""The other side of `npm run bench -- rail`: RAIL as it is run by hand, one process per file, HDF5 in and HDF5 out.

    python rail_today.py parts RELEASE_FOLDER FOLDER ROWS,...   parts of so many rows as Parquet and as HDF5
    python rail_today.py start CONFIGURATION                      imports the algorithm and ends
    python rail_today.py estimate CONFIGURATION MODEL INPUT OUTPUT    leaves its seconds of I/O in OUTPUT.json
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

BANDS = "ugrizy"


def parts(release: str, folder: str, sizes: str) -> None:
    """Part i holds objects of DC2, drawn with replacement by a generator seeded with i, magnitudes rounded to 4 decimals."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tables_io

    table = pa.concat_tables([pq.read_table(file) for file in sorted(Path(release).glob("*.parquet"))])
    for part, rows in enumerate(sizes.split(",")):
        drawn = table.take(np.random.default_rng(part).integers(0, len(table), int(rows)))
        skinny: dict[str, Any] = {"objectId": pa.array(np.arange(len(drawn)) + part * 1_000_000_000)}
        plain: dict[str, Any] = {"id": skinny["objectId"].to_numpy()}
        for band in BANDS:
            missing = drawn[f"mag_{band}_lsst"].to_numpy() == 99
            for ours, theirs, substitute in (("mag", "mag", 99), ("magerr", "mag_err", 1)):
                exact = drawn[f"{theirs}_{band}_lsst"].to_numpy().astype("f8")
                rounded = (np.floor(exact * 1e4 + 0.5) / 1e4).astype("f4")
                skinny[f"{ours}_{band}"] = pa.array(rounded, mask=missing)
                plain[f"{ours}_{band}"] = np.where(missing, np.float32(substitute), rounded)
        pq.write_table(pa.table(skinny), f"{folder}/part-{part}.parquet", compression="zstd")
        tables_io.write({"photometry": plain}, f"{folder}/part-{part}.hdf5")


def start(configuration: str) -> None:
    registered = json.loads(Path(configuration).read_text())
    getattr(importlib.import_module(registered["rail"]["module"]), registered["rail"]["estimator"])


def estimate(configuration: str, model: str, source: str, target: str) -> None:
    """RAIL's own chunk size, 10,000, but for algorithms whose p(z) depend on it."""
    registered = json.loads(Path(configuration).read_text())
    stage = getattr(importlib.import_module(registered["rail"]["module"]), registered["rail"]["estimator"])
    limits = registered["nonDetection"]["limits"]
    wanted: dict[str, Any] = {
        "bands": [f"mag_{band}" for band in BANDS],
        "err_bands": [f"magerr_{band}" for band in BANDS],
        "ref_band": "mag_i",
        "mag_limits": {f"mag_{band}": float(limit) for band, limit in limits.items()},
        "bpz_ref_data_path": os.path.join(sys.prefix, "share", "ponte", "bpz"),
    }
    if registered["slicing"] == "fixed":
        wanted["chunk_size"] = registered["chunkSize"]
    if "RUN_DIR" in os.environ:  # LePHARE's library, of which RAIL's model knows the place
        wanted["run_dir"] = os.environ["RUN_DIR"]
    known = {name: value for name, value in wanted.items() if name in stage.config_options}
    common = {"model": model, "input": source, "output": target, "hdf5_groupname": "photometry", "id_col": "id"}
    run = stage.make_stage(name="today", **known, **common)
    seconds = _timed_io(run)
    run.run()
    run.finalize()
    Path(f"{target}.json").write_text(json.dumps({"ioSeconds": sum(seconds)}))


def _timed_io(stage: Any) -> list[float]:
    """Wall seconds of each of the stage's reads and writes, as they come."""
    from rail.core.data import DataHandle

    seconds: list[float] = []

    def timed(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.monotonic()
            try:
                return function(*args, **kwargs)
            finally:
                seconds.append(time.monotonic() - started)

        return call

    for name in ("initialize_write", "write_chunk", "finalize_write"):
        setattr(DataHandle, name, timed(getattr(DataHandle, name)))
    slices = stage.input_iterator
    stage.input_iterator = lambda *args, **kwargs: iter(timed(partial(next, slices(*args, **kwargs), None)), None)
    return seconds


if __name__ == "__main__":
    {"parts": parts, "start": start, "estimate": estimate}[sys.argv[1]](*sys.argv[2:])
