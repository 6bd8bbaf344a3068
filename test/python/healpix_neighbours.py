"""Neighbours and centres as cdshealpix has them: `python healpix_neighbours.py ORDER...`, all pixels of each order."""

import json
import sys

import numpy as np
from cdshealpix.nested import healpix_to_lonlat, neighbours

found = {}
for order in map(int, sys.argv[1:]):
    pixels = np.arange(12 * 4**order, dtype=np.uint64)
    around = neighbours(pixels, order)
    lon, lat = healpix_to_lonlat(pixels, order)
    found[order] = {
        "neighbours": [sorted({int(n) for n in row if n >= 0} - {pixel}) for pixel, row in enumerate(around)],
        "centres": [[float(ra), float(dec)] for ra, dec in zip(lon.deg, lat.deg)],
    }
print(json.dumps(found))
