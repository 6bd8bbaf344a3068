"""The partitions that hats gives for the same counts.

    python hats_partitions.py CASES.json
    CASES.json: [{"order": 5, "maxRows": 100, "counts": [[pixel, rows], ...]}, ...]

Prints one JSON document: for each case a list of [order, pixel, rows], in the order of the sky.
"""

import json
import sys

import numpy as np
from hats.pixel_math.partition_stats import generate_alignment


def partitions(case: dict) -> list[list[int]]:
    histogram = np.zeros(12 * 4 ** case["order"], dtype=np.int64)
    for pixel, rows in case["counts"]:
        histogram[pixel] += rows
    alignment = generate_alignment(
        histogram,
        highest_order=case["order"],
        lowest_order=case["minOrder"],
        threshold=case["maxRows"],
        drop_empty_siblings=True,
    )
    distinct = {tuple(int(number) for number in entry) for entry in alignment if entry is not None and entry[2] > 0}
    return [list(entry) for entry in sorted(distinct, key=lambda entry: entry[1] << 2 * (29 - entry[0]))]


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps([partitions(case) for case in json.load(file)]))
