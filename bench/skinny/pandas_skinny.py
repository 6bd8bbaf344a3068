"""Skinny parts as one would write them with pandas and pyarrow: `pandas_skinny.py CHUNK FOLDER ROWS_PER_PART`.

The columns of schemas/profiles/lsst-dp1.json by the recipe schemas/recipes/skinny.json: AB magnitudes of fluxes in nJy,
rounded to 4 decimals, `_healpix_29`, sorted, in balanced parts, with the rows per pixel of order 10. Types and
compression are what pandas does unasked: double precision and snappy.
"""

import json
import math
import sys

import numpy as np
import pandas as pd
from hats.pixel_math.spatial_index import compute_spatial_index

chunk, folder, rows_per_part = sys.argv[1], sys.argv[2], int(sys.argv[3])
bands = "ugrizy"
columns = ["objectId", "coord_ra", "coord_dec"]
columns += [f"{band}_cModelFlux{end}" for band in bands for end in ("", "Err")]
source = pd.read_parquet(chunk, columns=columns)

skinny = pd.DataFrame({"objectId": source["objectId"], "ra": source["coord_ra"], "dec": source["coord_dec"]})
with np.errstate(all="ignore"):
    for band in bands:
        flux, error = source[f"{band}_cModelFlux"], source[f"{band}_cModelFluxErr"]
        seen = (flux > 0) & np.isfinite(flux) & (error > 0) & np.isfinite(error)
        skinny[f"mag_{band}"] = (31.4 - 2.5 * np.log10(flux)).round(4).where(seen)
        skinny[f"magerr_{band}"] = (2.5 / np.log(10) * error / flux).round(4).clip(lower=1e-4).where(seen)
skinny.insert(0, "_healpix_29", compute_spatial_index(skinny["ra"].to_numpy(), skinny["dec"].to_numpy()))
skinny = skinny.sort_values(["_healpix_29", "objectId"], ignore_index=True)

count = math.ceil(len(skinny) / rows_per_part)
bounds = np.linspace(0, len(skinny), count + 1).astype(int)
for index in range(count):
    part = skinny.iloc[bounds[index] : bounds[index + 1]]
    part.to_parquet(f"{folder}/part-{index}.parquet", index=False)
    pixels, rows = np.unique(part["_healpix_29"].to_numpy() >> 38, return_counts=True)
    with open(f"{folder}/part-{index}.pixels.json", "w", encoding="utf8") as file:
        json.dump(dict(zip(map(str, pixels), rows.tolist())), file)
