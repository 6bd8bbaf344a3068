"""What the worker itself does to the numbers, beside RAIL."""

TREATMENT_VERSION = 3
"""Part of every configuration digest, here and in core/algorithm.ts: raise both with any change of photometry.py,
estimates.py, best_redshift.py, packing.py or held_out.py that changes an output byte."""
