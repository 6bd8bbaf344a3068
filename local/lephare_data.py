"""A data folder for LePHARE from what its source package and pz-rail-base ship, as one tar archive.

`python lephare_data.py SOURCE_PACKAGE ARCHIVE`, in RAIL's environment. The same packages give the same bytes: nothing
is compressed, files go in by name, without owner and time.

It is LePHARE's folder with less in it: the six filters of LSST, the 31 COSMOS spectra of galaxies, one extinction law for
galaxies (Calzetti), one spectrum for stars and for quasars, which is enough for both libraries to exist. RAIL's default
wants more of each, which no package holds.
"""

from __future__ import annotations

import io
import sys
import tarfile
from importlib.metadata import distribution
from pathlib import Path

TAKEN = ("alloutputkeys.txt", "examples/output.para", "ext/", "filt/lsst/", "opa/", "vega/")
TAKEN += ("sed/GAL/BETHERMIN12/", "sed/QSO/", "sed/STAR/")
"""Below tests/data of the source package. LePHARE reads BETHERMIN12, dust in the far infrared, whether it uses it or not."""

GALAXIES = "rail/examples_data/estimation_data/data/SED"
"""In pz-rail-base; COSMOS_seds.list names the 31 spectra of Ilbert et al. 2009, in their order."""


def make(source: Path, target: Path) -> None:
    files = {**_from_lephare(source), **_from_rail()}
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            archive.addfile(entry, io.BytesIO(files[name]))


def _from_lephare(source: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    with tarfile.open(source) as archive:
        for entry in archive:
            top, _, name = entry.name.partition("/")
            content = archive.extractfile(entry) if entry.isfile() else None
            if content is None:
                continue
            if name == "LICENSE":
                files["LICENSE.lephare"] = content.read()
            elif (path := name.removeprefix("tests/data/")) != name and path.startswith(TAKEN):
                files[path] = content.read()
    return files


def _from_rail() -> dict[str, bytes]:
    package = distribution("pz-rail-base")
    folder = Path(str(package.locate_file(GALAXIES)))
    names = (folder / "COSMOS_seds.list").read_text().split()
    files = {f"sed/GAL/COSMOS_SED/{name}": (folder / name).read_bytes() for name in names}
    files["sed/GAL/COSMOS_SED/COSMOS_MOD.list"] = "".join(f"COSMOS_SED/{name}\n" for name in names).encode()
    files["LICENSE.pz-rail-base"] = (package.read_text("licenses/LICENSE") or "").encode()
    return files


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
