"""Packs Parquet files with hats-import as its guide says: `hats_import_pack.py OUTPUT THRESHOLD FILE ...`."""

import shutil
import sys

from dask.distributed import Client
from hats_import.catalog.arguments import ImportArguments
from hats_import.pipeline import pipeline_with_client


def main() -> None:
    output, threshold, *files = sys.argv[1:]
    shutil.rmtree(output, ignore_errors=True)
    arguments = ImportArguments(
        output_artifact_name="object_photoz",
        output_path=output,
        input_file_list=files,
        file_reader="parquet",
        ra_column="coord_ra",
        dec_column="coord_dec",
        sort_columns="objectId",
        pixel_threshold=int(threshold),
        progress_bar=False,
    )
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
        pipeline_with_client(arguments, client)


if __name__ == "__main__":
    main()
