"""The neighbours that cdshealpix finds: `python healpix_neighbours.py ORDER...` prints {order: [[sorted], ...]}."""

import json
import sys

import numpy as np
from astropy import units
from cdshealpix.nested import healpix_to_lonlat, neighbours, vertices

found = {}
for order in map(int, sys.argv[1:]):
    pixels = np.arange(12 * 4**order, dtype=np.uint64)
    around = neighbours(pixels, order)
    found[order] = [sorted({int(n) for n in row if n >= 0} - {pixel}) for pixel, row in enumerate(around)]
print(json.dumps(found))
