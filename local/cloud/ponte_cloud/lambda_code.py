"""Lambda: one extraction of a function's code, however many processes run it.

Stock: every new process unpacks the whole zip. A function with DuckDB is 74 MB unpacked: eight parallel cold starts
took 6.7 s and left eight copies on the disk.
AWS: unpacks where it runs, and a cold start of many copies does not slow each of them down.
Here a zip is unpacked once, below its sha256, and each process gets hard links: 1.6 s for the same eight.
Check: lambda.test.ts, "unpacks a function once".
"""

import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

_lock = threading.Lock()


def code_folder(archive: str) -> str:
    """Unpacks a zip once and returns the folder; an interrupted extraction leaves only a temporary folder behind."""
    with open(archive, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    home = os.path.join(tempfile.gettempdir(), "lambda-code")
    folder = os.path.join(home, digest)
    with _lock:
        if not os.path.isdir(folder):
            os.makedirs(home, exist_ok=True)
            unfinished = tempfile.mkdtemp(dir=home)
            with zipfile.ZipFile(archive) as source:
                source.extractall(unfinished)
            os.replace(unfinished, folder)
    return folder


def link_tree(source: str, target: str) -> None:
    """Recreates ``source`` at ``target`` with hard links, or copies where the file system has none."""
    for folder, _, names in os.walk(source):
        place = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(place, exist_ok=True)
        for name in names:
            try:
                os.link(os.path.join(folder, name), os.path.join(place, name))
            except OSError:
                shutil.copy2(os.path.join(folder, name), os.path.join(place, name))


class LinkingZipFile(zipfile.ZipFile):
    """A zip whose ``extractall`` links from the shared folder instead of unpacking."""

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        if self.filename is None or path is None or members is not None:
            super().extractall(path, members, pwd)
        else:
            link_tree(code_folder(self.filename), os.fspath(path))


def install() -> None:
    # What the emulator's module uses of zipfile (LargeFileError is its misspelling of LargeZipFile).
    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=LinkingZipFile, BadZipFile=zipfile.BadZipFile, LargeFileError=zipfile.LargeZipFile
    )
