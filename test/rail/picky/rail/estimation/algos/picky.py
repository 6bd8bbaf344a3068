"""BPZ, except that it stops at every object brighter than i = 17.5: an
algorithm for tests of how failing rows are found."""

import numpy as np
from rail.estimation.algos.bpz_lite import BPZliteEstimator, BPZliteInformer

__all__ = ["BPZliteInformer", "PickyEstimator"]

BRIGHTEST = 17.5


class PickyEstimator(BPZliteEstimator):
    name = "PickyEstimator"

    def _process_chunk(self, start, end, data, first):
        if np.any(np.asarray(data["mag_i"]) < BRIGHTEST):
            raise ValueError("an object is too bright")
        return super()._process_chunk(start, end, data, first)
