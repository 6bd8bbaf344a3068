"""RAIL's own p(z), as qp writes them: the lossless form, for the archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponte_rail.stages import Slice


class Archive:
    """One qp HDF5 file of all rows, written slice by slice; `ancil/id` holds the objectId. The parameterisation is the
    algorithm's (table, Gaussian, mixture), so that qp.read gives back what RAIL computed, bit for bit."""

    def __init__(self, path: Path, object_id: NDArray[np.int64]) -> None:
        self._path = path
        self._object_id = object_id
        self._first: Slice | None = None
        self._groups = self._file = None

    def write(self, part: Slice) -> None:
        ensemble = part.ensemble
        ensemble.set_ancil({**(ensemble.ancil or {}), "id": self._object_id[part.rows]})
        if self._file is None:
            self._first = part
            self._groups, self._file = ensemble.initializeHdf5Write(str(self._path), len(self._object_id), None)
        ensemble.writeHdf5Chunk(self._groups, part.rows.start, part.rows.stop)

    def close(self) -> None:
        if self._first is not None:
            self._first.ensemble.finalizeHdf5Write(self._file)
