#!/bin/sh
# Builds the environment in which RAIL runs at a site: the exact packages of bridge-agent/rail/requirements.txt, and BPZ's
# template fluxes. Usage: install-rail.sh FOLDER [PYTHON]
#   FOLDER  absolute, readable by the compute nodes; FOLDER/bin/python is what the agent's configuration names
#   PYTHON  3.11 or newer, at the same path on the nodes; python3.11 unless given
# Run again it changes nothing; an interrupted run starts over. PIP_INDEX_URL and the like are passed on.
set -eu
# The nodes' users are to read it.
umask 022

fail() {
  printf 'install-rail: %s\n  %s\n' "$1" "$2" >&2
  exit 1
}

case "${1:-}" in
  /*) folder=$1 ;;
  *) fail 'which folder?' 'install-rail.sh /shared/rail [PYTHON]; an absolute path.' ;;
esac
python=${2:-python3.11}
rail=$(dirname "$(readlink -f "$0")")/bridge-agent/rail
[ -f "$rail/requirements.txt" ] || fail "there is no $rail/requirements.txt" 'Unpack the whole bundle.'
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null ||
  fail "$python is not a Python 3.11 or newer" 'Install one with venv, and name it: install-rail.sh FOLDER /path/of/python3.11'
# Below a home folder, for instance, which the service's user cannot enter.
[ "$(id -u)" != 0 ] || setpriv --reuid=65534 --regid=65534 --clear-groups "$python" -c '' 2> /dev/null ||
  fail "other users cannot run $python" 'Name an interpreter that the service user can run, here and on the nodes: /usr/bin/python3.11, for instance.'
"$python" -c 'import venv, ensurepip' 2> /dev/null || fail "$python cannot make environments" 'Install its venv module.'

lock=$(cat "$rail/requirements.txt" "$rail/overrides.txt" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$folder/ponte-lock.sha256" 2> /dev/null || true)" = "$lock" ]; then
  echo "$folder is up to date"
  exit 0
fi
[ ! -e "$folder" ] || [ -f "$folder/pyvenv.cfg" ] || [ -z "$(ls -A "$folder")" ] ||
  fail "$folder is there and is no Python environment" 'Name another folder, or move it away.'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
echo "1 of 3: getting the installer $(cat "$rail/installer.txt") ..."
"$python" -m venv "$work/uv"
"$work/uv/bin/pip" install --quiet --disable-pip-version-check -r "$rail/installer.txt"
echo "2 of 3: installing $(grep -c == "$rail/requirements.txt") packages into $folder (a minute; several on a shared file system) ..."
rm -rf "$folder"
export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
"$work/uv/bin/uv" venv --quiet --python "$python" "$folder"
"$work/uv/bin/uv" pip install --quiet --python "$folder/bin/python" --compile-bytecode \
  --override "$rail/overrides.txt" -r "$rail/requirements.txt"
echo '3 of 3: computing the template fluxes of BPZ (10 seconds) ...'
# It says two lines for each of 48 files.
PYTHONPATH=$rail PYTHONDONTWRITEBYTECODE=1 "$folder/bin/python" -m ponte_rail.reference_data > "$work/fluxes.log" 2>&1 || {
  tail -n 20 "$work/fluxes.log" >&2
  fail 'the template fluxes could not be computed' 'What Python said is above; run this again when that is mended.'
}
echo "$lock" > "$folder/ponte-lock.sha256"
echo "$folder/bin/python is ready"
