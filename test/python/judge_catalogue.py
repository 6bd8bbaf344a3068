"""What outside readers make of the small files of a catalogue.

    python judge_catalogue.py COLLECTION CATALOGUE

Prints one JSON line: how pyarrow reads `_metadata` beside the leaves, what astropy finds in the VOTable header, what
jproperties makes of the properties, and the sums of the sky maps.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.io.votable import parse_single_table, validate
from astropy.io.votable.ucd import check_ucd
from hats import read_hats
from hats.io.skymap import read_skymap


def compare_metadata(dataset: Path) -> dict:
    merged = pq.read_metadata(dataset / "_metadata")
    names, wrong, position = [], 0, 0
    while position < merged.num_row_groups:
        path = merged.row_group(position).column(0).file_path
        leaf = pq.read_metadata(dataset / path)
        names.append(path)
        for group in range(leaf.num_row_groups):
            theirs, ours = leaf.row_group(group).to_dict(), merged.row_group(position).to_dict()
            for column in ours["columns"]:
                wrong += column["file_path"] != path
                column["file_path"] = ""
            wrong += theirs != ours
            position += 1
    on_disk = {str(path.relative_to(dataset)) for path in dataset.rglob("*.parquet")}
    common = pq.read_metadata(dataset / "_common_metadata")
    return {
        "rows": merged.num_rows,
        "row_groups_wrong": wrong,
        "files_match": set(names) == on_disk and len(names) == len(on_disk),
        "common_rows": common.num_rows,
        "common_schema_equal": common.schema.equals(merged.schema) and common.metadata == merged.metadata,
    }


def main() -> None:
    collection, name = Path(sys.argv[1]), sys.argv[2]
    catalog = read_hats(collection / name)
    metadata = pq.read_metadata(collection / name / "dataset" / "_common_metadata").metadata
    header = metadata[b"IVOA.VOTable-Parquet.content"]
    table = parse_single_table(io.BytesIO(header), verify="exception")
    maps = {
        path.name: int(sum(hdu.data["VALUE"].sum() for hdu in fits.open(path)[1:]))
        for path in sorted((collection / name).glob("*.fits"))
    }
    info = catalog.catalog_info
    print(
        json.dumps(
            {
                "metadata": compare_metadata(collection / name / "dataset"),
                "votable_valid": bool(validate(io.BytesIO(header), output=None)),
                "votable_fields": [[f.name, f.datatype, str(f.unit or ""), f.ucd] for f in table.fields],
                "ucds_invalid": [
                    f.ucd for f in table.fields if not check_ucd(f.ucd, check_controlled_vocabulary=True, has_colon=True)
                ],
                "schema": catalog.schema.names,
                "title": info.model_extra["obs_title"],
                "description": info.model_extra["obs_description"],
                "maps": maps,
                "map_at_order_3": int(np.sum(read_skymap(catalog, 3))),
                "moc_fraction": round(float(catalog.moc.sky_fraction), 6),
                "moc_fraction_declared": round(info.moc_sky_fraction, 6),
            }
        )
    )


if __name__ == "__main__":
    main()
