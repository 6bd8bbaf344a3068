"""Points that are hard for a HEALPix implementation, and the judgement of an index computed from them.

    python healpix_points.py make POINTS.parquet [--random N] [--vertices N]
    python healpix_points.py judge INDEXED.parquet     # columns ra, dec, _healpix_29; prints one JSON line
"""

import argparse
import json
import sys

import cdshealpix
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hats.pixel_math.spatial_index import compute_spatial_index

TRANSITION_DEG = np.degrees(np.arcsin(2 / 3))


def neighbours(values: np.ndarray, steps: int = 3) -> np.ndarray:
    """Each value and the doubles next to it, `steps` to either side."""
    found = [values]
    for direction in (-np.inf, np.inf):
        moved = values
        for _ in range(steps):
            moved = np.nextafter(moved, direction)
            found.append(moved)
    return np.concatenate(found)


def grid(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(ra, dec)
    return a.ravel(), b.ravel()


def vertices(order: int, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Corners of random pixels, where four tiles meet."""
    pixels = generator.integers(0, 12 * 4**order, count, dtype=np.uint64)
    lon, lat = cdshealpix.vertices(pixels, order)
    return lon.deg.ravel(), lat.deg.ravel()


def points(random: int, corners: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(29)
    uniform = (generator.uniform(0, 360, random), np.degrees(np.arcsin(generator.uniform(-1, 1, random))))
    meridians = neighbours(np.arange(0.0, 361.0, 22.5))
    parallels = np.concatenate([neighbours(np.array([-TRANSITION_DEG, 0.0, TRANSITION_DEG])), neighbours(np.array([-89.0, 89.0]))])
    poles = np.concatenate([90 - np.geomspace(1e-14, 1e-3, 40), [90.0]])
    parts = [
        uniform,
        grid(meridians, parallels),
        grid(meridians, np.concatenate([poles, -poles])),
        grid(meridians, generator.uniform(-90, 90, 200)),
        grid(generator.uniform(0, 360, 200), parallels),
        # Any turn of the right ascension.
        grid(np.concatenate([meridians - 360, meridians + 360, generator.uniform(-720, 1080, 200)]), generator.uniform(-90, 90, 100)),
    ]
    for order in (0, 1, 2, 3, 6, 10, 18, 24, 29):
        ra, dec = vertices(order, corners, generator)
        parts.append((ra, dec))
        parts.append((np.nextafter(ra, np.inf), dec))
        parts.append((ra, np.nextafter(dec, 0)))
    ra, dec = (np.concatenate(column) for column in zip(*parts))
    return ra, np.clip(dec, -90, 90)


def make(path: str, random: int, corners: int) -> None:
    ra, dec = points(random, corners)
    pq.write_table(pa.table({"ra": ra, "dec": dec}), path)
    print(json.dumps({"points": len(ra)}))


def judge(path: str) -> int:
    table = pq.read_table(path)
    ra, dec, index = (table[name].to_numpy() for name in ("ra", "dec", "_healpix_29"))
    expected = compute_spatial_index(ra, dec)
    wrong = np.flatnonzero(index != expected)
    examples = [[ra[i].hex(), dec[i].hex(), int(index[i]), int(expected[i])] for i in wrong[:5]]
    print(json.dumps({"points": len(ra), "mismatches": len(wrong), "examples": examples}))
    return 1 if len(wrong) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["make", "judge"])
    parser.add_argument("path")
    parser.add_argument("--random", type=int, default=1_000_000)
    parser.add_argument("--vertices", type=int, default=2000, help="pixels of each order whose corners are taken")
    arguments = parser.parse_args()
    if arguments.verb == "judge":
        return judge(arguments.path)
    make(arguments.path, arguments.random, arguments.vertices)
    return 0


if __name__ == "__main__":
    sys.exit(main())
