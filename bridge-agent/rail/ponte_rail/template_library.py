"""LePHARE's files: the data folder that it reads, and the library of model magnitudes that its inform computes.

RAIL's model (pz-rail-lephare 2.0.4) holds the absolute path of that library and not the library. Here it travels in the
model file, and is laid out again for each task that estimates.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from ponte_rail.algorithm import Algorithm
from ponte_rail.failures import bad_input, classify

DATA = "lephare-data"
"""The algorithm's name for its ancillary file."""

_DATA_FOLDERS = ("ext", "filt", "opa", "sed", "vega")

_READ_BY_ESTIMATE = ("filt/*.dat", "filt/*.doc", "lib_mag/*.bin", "lib_mag/*.doc")
"""The rest is spectra, from which the magnitudes were computed, and notes."""

_TEXT = (".dat", ".doc")


def uses_lephare(algorithm: Algorithm) -> bool:
    return algorithm.module == "rail.estimation.algos.lephare"


def settle(data: Path, folder: Path) -> None:
    """Says where LePHARE's data are and where it may write, below `folder`. Before RAIL's module is imported: it looks
    then, and would otherwise use the home folder. Raises WorkerError `ANCILLARY_UNREADABLE`."""
    missing = [name for name in _DATA_FOLDERS if not (data / name).is_dir()]
    if missing:
        message = f"the ancillary file {DATA} has no folder {', '.join(missing)} at its top"
        raise bad_input("ANCILLARY_UNREADABLE", "infrastructure", f"{message}. Pack and register it again.")
    os.environ["LEPHAREDIR"] = str(data)
    # Inform makes a sibling of this folder, named after its stage.
    os.environ["LEPHAREWORK"] = str(folder / "library" / "base")


def carry_library(model: Path, run_folder: Path) -> dict[str, bytes]:
    """The library that inform left in `run_folder`, by file, without the folder's name and the time of day; neither are
    they in RAIL's own pickle at `model` any more, so that equal work gives equal bytes."""
    content = pickle.loads(model.read_bytes())
    model.write_bytes(pickle.dumps({**content, "run_dir": ""}))
    paths = sorted(path for pattern in _READ_BY_ESTIMATE for path in run_folder.glob(pattern))
    return {path.relative_to(run_folder).as_posix(): _impersonal(path) for path in paths}


def lay_out(library: dict[str, bytes]) -> Path:
    """A folder with the files of a library, for RAIL's `run_dir`. Raises WorkerError `DISK_FULL` or `FILE_SYSTEM`."""
    folder = Path(os.environ["LEPHAREWORK"]).with_name("carried")
    try:
        for name, content in library.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise classify(error, f"laying out LePHARE's library in {folder}") from error
    return folder


def _impersonal(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix not in _TEXT:
        return content
    lines = content.replace(os.environ["LEPHAREDIR"].encode(), b"$LEPHAREDIR").splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"CREATION_DATE"))
