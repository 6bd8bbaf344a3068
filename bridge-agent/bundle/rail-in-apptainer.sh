#!/bin/sh
# Stands for the interpreter of the RAIL environment where that is an Apptainer image: name this file in worker.python, and
# write the image's path, and what it must see of the host, into rail-in-apptainer.conf beside it:
#   image=/shared/rail.sif
#   bind=/scratch/ponte,/shared/ponte
# Inside the image, where the job side starts the worker, it is the interpreter itself.
inside=/opt/rail/bin/python
[ ! -x "$inside" ] || exec "$inside" "$@"
configuration=$(dirname "$(readlink -f "$0")")/rail-in-apptainer.conf
value() { sed -n "s/^$1=//p" "$configuration" 2> /dev/null | head -n 1; }
image=$(value image)
bind=$(value bind)
if [ -z "$image" ] || [ ! -r "$image" ]; then
  echo "rail-in-apptainer: there is no image: ${image:-(none named)}" >&2
  echo "  Build it (apptainer build /shared/rail.sif rail.def) and write image=/shared/rail.sif into $configuration." >&2
  exit 69
fi
# --no-home, and only what is named: the job's environment is the agent's business, not the user's.
exec apptainer exec --no-home ${bind:+--bind "$bind"} "$image" "$inside" "$@"
