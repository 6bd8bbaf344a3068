"""The skinny table of a chunk again, by numpy: `python numpy_skinny.py CHUNK PROFILE RECIPE [MAP DESCRIPTION] PART...`

Where the recipe names a map of E(B-V), MAP is that file, and DESCRIPTION says how it is one.

Prints one JSON object: rows, values compared, values that differ in the last rounded digit, and anything worse.
"""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

chunk, profile_path, recipe_path, *rest = sys.argv[1:]
with open(profile_path, encoding="utf8") as file:
    profile = json.load(file)
with open(recipe_path, encoding="utf8") as file:
    recipe = json.load(file)

has_map = "map" in recipe.get("dereddening", {})
parts = rest[2:] if has_map else rest
source = pq.read_table(chunk)
result = pa.concat_tables([pq.ParquetFile(part).read() for part in parts])


def column(name: str) -> np.ndarray:
    return pc.cast(source[name], pa.float64()).to_numpy(zero_copy_only=False)


def good(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values) & ~np.isin(values, profile["missing"])


def ebv_of_map() -> np.ndarray:
    import astropy.units as u
    from cdshealpix import nested, ring
    from astropy.coordinates import Latitude, Longitude, SkyCoord

    with open(rest[1], encoding="utf8") as file:
        about = json.load(file)
    longitude, latitude = column(profile["ra"]), column(profile["dec"])
    if about["frame"] == "galactic":
        place = SkyCoord(longitude * u.deg, latitude * u.deg, frame="icrs").galactic
        longitude, latitude = place.l.deg, place.b.deg
    angles = Longitude(longitude, u.deg), Latitude(latitude, u.deg)
    if about["scheme"] == "ring":
        pixels = ring.lonlat_to_healpix(*angles, 2 ** about["order"])
    else:
        pixels = nested.lonlat_to_healpix(*angles, about["order"])
    table = pq.read_table(rest[0])
    values = np.full(12 * 4 ** about["order"], np.nan)
    values[table[about["pixel"]].to_numpy()] = table[about["value"]].to_numpy()
    return values[pixels.astype(int)]


expected: dict[str, np.ndarray] = {}
count = source.num_rows
reddening = np.zeros(count)
if "dereddening" in recipe:
    reddening = ebv_of_map() if has_map else column(profile["ebv"])
    reddening = np.where((reddening >= 0) & (reddening < 100), reddening, np.nan)
unit = 10.0 ** recipe["decimals"]
with np.errstate(all="ignore"):
    for band in "ugrizy":
        names = profile["bands"].get(band)
        if not names or names["value"] not in source.column_names:
            expected["mag_" + band] = expected["magerr_" + band] = np.full(count, np.nan)
            continue
        value, error = column(names["value"]), column(names["error"])
        usable = good(value) & good(error) & (error > 0)
        if profile["kind"] == "flux":
            usable &= value > 0
            magnitude = -2.5 * np.log10(value) + 31.4
            error = 2.5 / np.log(10) * error / value
        else:
            magnitude = value
        usable &= (np.abs(magnitude) < 1000) & (error < 1000)
        coefficient = recipe.get("dereddening", {}).get("coefficients", {}).get(band, 0.0)
        magnitude = magnitude - coefficient * reddening
        usable &= np.isfinite(magnitude)
        rounded_error = np.maximum(np.rint(error * unit) / unit, 1 / unit)
        expected["mag_" + band] = np.where(usable, np.rint(magnitude * unit) / unit, np.nan)
        expected["magerr_" + band] = np.where(usable, rounded_error, np.nan)
    keep = np.full(count, True)
    if "cut" in recipe:
        assert recipe["cut"] == "mag_i < 25.3 and extendedness >= 0.5", "this checker knows one cut"
        keep = (expected["mag_i"] < 25.3) & (column(profile["extendedness"]["column"]) >= 0.5)

ids = source[profile["id"]].to_numpy()[keep]
order = np.argsort(ids)
theirs = result["objectId"].to_numpy()
their_order = np.argsort(theirs)
worse: list[str] = []
if not np.array_equal(ids[order], theirs[their_order]):
    worse.append("other objects")
compared = last_digit = 0
if not worse:
    for name, values in expected.items():
        ours = values[keep][order].astype(np.float32).astype(float)
        found = pc.cast(result[name], pa.float64()).to_numpy(zero_copy_only=False)[their_order]
        if not np.array_equal(np.isnan(ours), np.isnan(found)):
            worse.append(f"{name}: another set of rows is detected")
            continue
        both = ~np.isnan(ours)
        difference = np.abs(ours - found)[both]
        allowed = 1.01 / unit + 1e-6 * np.abs(ours[both])
        compared += int(both.sum())
        last_digit += int((difference > 0).sum())
        if (difference > allowed).any():
            worse.append(f"{name}: off by {difference.max()}")
    for ours_name, name in (("ra", "ra"), ("dec", "dec")):
        if not np.array_equal(column(profile[ours_name])[keep][order], result[name].to_numpy()[their_order]):
            worse.append(f"{name}: differs")
print(json.dumps({"rows": len(theirs), "compared": compared, "lastDigit": last_digit, "worse": worse}))
