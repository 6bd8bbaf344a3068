#!/bin/sh
# The batch script of one large allocation: starts pool-worker.sh once per task slot that Slurm gave. Everything variable
# comes as arguments. From 22.05 on srun does not take the cores per task from the allocation by itself.
PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/bin:/opt/slurm/bin"
export PATH
exec srun --input=none --kill-on-bad-exit=0 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" "$@"
