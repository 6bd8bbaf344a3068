#!/bin/sh
# The whole batch script. Everything variable comes as arguments of sbatch, so nothing is ever spliced into shell text.
exec "$@" "$SLURM_ARRAY_TASK_ID"
