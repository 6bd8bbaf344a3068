"""Registered ancillary files: what the task brings is checked against what the configuration names, then unpacked."""

from __future__ import annotations

import hashlib
import lzma
import platform
import tarfile
import zlib
from pathlib import Path

from ponte_rail.algorithm import Algorithm
from ponte_rail.failures import FULL_DISK, bad_environment, bad_input, bad_task, classify
from ponte_rail.task import FileRef


def require_ancillary(algorithm: Algorithm, brought: dict[str, FileRef]) -> None:
    """Raises WorkerError `ANCILLARY_MISSING` or `ANCILLARY_MISMATCH`: what is not at hand is never fetched from a
    compute node."""
    for name, registered in algorithm.ancillary.items():
        if registered is None:
            message = f"{algorithm.name} needs the ancillary file {name}, which has no content"
            hint = "Register it with `ponte ancillary register` and name its digest in the algorithm's file."
            raise bad_task("ANCILLARY_MISSING", f"{message}. {hint}")
        if name not in brought:
            message = f"{algorithm.name} needs the ancillary file {name} ({registered}) and the task brings none"
            hint = "Register it with `ponte ancillary register`, then register the release"
            raise bad_task("ANCILLARY_MISSING", f"{message}. {hint}; agent and worker must be of one version.")
        if brought[name].sha256 != registered:
            message = f"{algorithm.name} is registered with the ancillary file {name} of sha256 {registered}"
            raise bad_task("ANCILLARY_MISMATCH", f"{message}, the task brings {brought[name].sha256}.")


def unpack(name: str, file: FileRef, folder: Path) -> Path:
    """The files of a tar archive below `folder`/{name}; nothing in it can point outside (tarfile's `data` filter).

    Raises WorkerError `ANCILLARY_UNREADABLE`, `ANCILLARY_DIGEST_MISMATCH` or `DISK_FULL`. Read twice from one open file,
    because an archive may be larger than the memory of the task.
    """
    if not hasattr(tarfile, "data_filter"):
        message = f"this Python {platform.python_version()} cannot unpack {name} safely"
        raise bad_environment("PYTHON_TOO_OLD", f"{message}. Make the environment again with 3.11.4 or newer.")
    target = folder / name
    try:
        with open(file.path, "rb") as source:
            found = hashlib.file_digest(source, "sha256").hexdigest()
            if found != file.sha256:
                message = f"the ancillary file {name} at {file.path} has the sha256 {found}, not {file.sha256}"
                raise bad_input("ANCILLARY_DIGEST_MISMATCH", "infrastructure", f"{message}. Stage it again.")
            source.seek(0)
            with tarfile.open(fileobj=source) as archive:
                archive.extractall(target, filter="data")
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        message = f"the ancillary file {name} at {file.path} is no archive that can be unpacked: {error}"
        raise bad_input("ANCILLARY_UNREADABLE", "infrastructure", f"{message}. Pack and register it again.") from error
    except OSError as error:
        if error.errno in FULL_DISK:
            raise classify(error, f"unpacking {name} into {folder}") from error
        message = f"cannot unpack the ancillary file {name} from {file.path} into {folder}: {error.strerror}"
        raise bad_input("ANCILLARY_UNREADABLE", "infrastructure", f"{message}. Stage it again.") from error
    return target
