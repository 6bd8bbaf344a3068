"""BPZ's templates and filters: a private copy below the environment, made once, never at job time.

RAIL's default is to write the template fluxes (AB files) into site-packages when they are first needed: a race
between tasks, and a failure in a read-only environment. `python -m ponte_rail.reference_data` is the environment step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from ponte_rail.algorithm import REGISTERED, Algorithm, read_algorithm
from ponte_rail.failures import bad_environment

_DIGEST_FILE = "reference-data.sha256"


def _folder() -> Path:
    return Path(sys.prefix) / "share" / "ponte" / "bpz"


def reference_data_folder() -> Path:
    """Raises WorkerError `REFERENCE_DATA_MISSING`."""
    folder = _folder()
    if not (folder / _DIGEST_FILE).is_file():
        message = f"BPZ's templates are not at {folder}. Run `python -m ponte_rail.reference_data` once."
        raise bad_environment("REFERENCE_DATA_MISSING", message)
    return folder


def reference_data_digest() -> str:
    """The sha256 over all files, as the environment step left it."""
    return (reference_data_folder() / _DIGEST_FILE).read_text()


def make_reference_data(algorithms: list[Algorithm]) -> Path:
    """Copies RAIL's SED and FILTER folders and computes every AB file the registered configurations ask for. A second
    call returns at once; the folder appears complete, by a rename."""
    folder = _folder()
    using = [algorithm for algorithm in algorithms if algorithm.reference_data == "bpz"]
    if (folder / _DIGEST_FILE).is_file() and not any(_missing_template_fluxes(folder, each) for each in using):
        return folder
    from rail.utils.path_utils import RAILDIR

    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".bpz-", dir=folder.parent))
    source = Path(RAILDIR) / "rail" / "examples_data" / "estimation_data" / "data"
    try:
        for name in ("SED", "FILTER"):
            shutil.copytree(source / name, building / name)
        (building / "AB").mkdir()
        os.environ["BPZDATAPATH"] = str(building)  # desc_bpz reads it when it is imported
        for algorithm in using:
            _make_template_fluxes(building, algorithm)
        (building / _DIGEST_FILE).write_text(_digest(building))
        _discard(folder)
        _set_writable(building, False)
        try:
            building.rename(folder)
        except OSError:
            if not (folder / _DIGEST_FILE).is_file():
                raise
            # Another process made the same files at the same time, and was first.
    finally:
        _discard(building)
    return folder


def _set_writable(folder: Path, writable: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o644 if writable else 0o444) | (0o111 if path.is_dir() else 0))


def _discard(folder: Path) -> None:
    if folder.exists():
        _set_writable(folder, True)
        shutil.rmtree(folder)


def _make_template_fluxes(folder: Path, algorithm: Algorithm) -> None:
    from desc_bpz.bpz_tools_py3 import ABflux

    for spectrum, filter_name in _missing_template_fluxes(folder, algorithm):
        ABflux(spectrum, filter_name, algorithm.estimate_parameters["madau_flag"])


def _missing_template_fluxes(folder: Path, algorithm: Algorithm) -> list[tuple[str, str]]:
    """(spectrum, filter) pairs without an AB file."""
    parameters = algorithm.estimate_parameters
    suffix = "withmadau" if parameters["madau_flag"] == "yes" else "nomadau"
    listed = (folder / "SED" / parameters["spectra_file"]).read_text().splitlines()
    spectra = [line.split()[0].removesuffix(".sed") for line in listed if line.strip() and not line.startswith("#")]
    pairs = [(spectrum, name) for spectrum in spectra for name in parameters["filter_list"]]
    present = {path.name for path in (folder / "AB").iterdir()}
    return [(spectrum, name) for spectrum, name in pairs if f"{spectrum}.{name}.{suffix}.AB" not in present]


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


if __name__ == "__main__":
    print(make_reference_data([read_algorithm(file.stem) for file in sorted(REGISTERED.glob("*.json"))]))
