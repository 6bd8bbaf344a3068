#!/usr/bin/env bash
# How recorded/ came about: lets one job after another fall ill on a throwaway cluster and writes down what its commands say.
#
# Usage: record.sh FOLDER, as root, where slurmd of n1 to n3 were started with "slurmd -N" on this host, with accounting by
# slurmdbd, and with these lines beside the usual ones in slurm.conf:
#   Prolog=/tmp/ponte-prolog
#   JobAcctGatherParams=OverMemoryKill
#   PreemptType=preempt/partition_prio
#   PreemptMode=REQUEUE
#   PartitionName=main  Nodes=n[1-3] PriorityTier=1 DefMemPerCPU=500 MaxTime=1-00:00:00 Default=YES
#   PartitionName=cheap Nodes=n[1-3] PriorityTier=0 PreemptMode=CANCEL
#   PartitionName=high  Nodes=n[1-3] PriorityTier=9 PreemptMode=OFF
# Takes six minutes, which are Slurm's own waits.
set -u
folder=$1
version=$(slurmctld -V | awk '{print $2}')
queue=$folder/squeue-$version-faults.txt
accounts=$folder/sacct-$version-faults.txt
answers=$folder/sbatch-$version.txt
: >"$queue"; : >"$answers"
cd /tmp || exit 1
printf '#!/bin/sh\n[ ! -e /tmp/ponte-prolog-fails ]\n' >/tmp/ponte-prolog
chmod 755 /tmp/ponte-prolog
rm -f /tmp/ponte-prolog-fails

say() { echo "$(date +%T) $*" >&2; }
# submit NAME [OPTION ...] -- COMMAND: one array task of the name
submit() {
  local name=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  sbatch --parsable --job-name="ponte-$name" --export=NIL --output=/dev/null --array=0 --time=5 --mem=50M "${options[@]}" --wrap="$*" |
    cut -d';' -f1
}
look() { squeue -h -r -t all -o '%F|%K|%j|%T|%N|%r' | grep "ponte-$1|" | tee -a "$queue" >&2; }
state() { squeue -h -r -t all -n "ponte-$1" -o "${2:-%T}" | head -1; }
# until_state NAME STATE [SECONDS]
until_state() {
  for _ in $(seq 1 $((${3:-60} * 5))); do
    [[ $(state "$1") =~ ^($2)$ ]] && return 0
    sleep 0.2
  done
  say "ponte-$1 did not become $2: $(state "$1" '%T %r')"
}
node_of() { state "$1" %N; }
# Of this cluster alone: others may run on the host.
pid_file() { scontrol show config | awk -v key="$1" '$1 == key { print $3 }'; }
slurmd_pids=$(pid_file SlurmdPidFile)
controller_pid=$(pid_file SlurmctldPidFile)
kill_node() { kill -9 "$(cat "${slurmd_pids//%n/$1}")"; }
start_node() { slurmd -N "$1"; sleep 2; scontrol update nodename="$1" state=resume 2>/dev/null; sleep 2; }
# answer WHAT COMMAND ...: status and error text, on one line
answer() {
  local what=$1 text status
  shift
  text=$("$@" 2>&1 >/dev/null)
  status=$?
  printf '%s|%s|%s\n' "$what" "$status" "${text//$'\n'/\\n}" | tee -a "$answers" >&2
}
controller() { cat "$controller_pid"; }

say "Slurm $version: what ends by itself"
submit completed -- true >/dev/null
submit failed -- 'exit 3' >/dev/null
submit exit-137 -- 'exit 137' >/dev/null
submit killed -- 'kill -9 $$' >/dev/null
submit memory --mem=20M -- 'python3 -c "x = bytearray(200_000_000); import time; time.sleep(20)" || perl -e "\$x = q(x) x 200000000; sleep 20"' >/dev/null
submit timeout --time=1 -- 'sleep 600' >/dev/null
submit cancelled -- 'sleep 600' >/dev/null
submit cancelled-pending --hold -- true >/dev/null
until_state cancelled RUNNING
scancel -n ponte-cancelled
scancel -n ponte-cancelled-pending
for name in completed failed exit-137 killed memory cancelled; do
  until_state "$name" 'COMPLETED|FAILED|CANCELLED|OUT_OF_MEMORY' 90
  look "$name"
done
look cancelled-pending

say 'what can never start'
submit held --hold -- true >/dev/null
submit partition-time --partition=short --time=1-00:00:00 -- true >/dev/null
submit dependency --dependency="afterok:$(submit fails-first -- false)" --kill-on-invalid-dep=no -- true >/dev/null
until_state dependency 'PENDING'
for _ in $(seq 1 60); do [[ $(state dependency %r) == DependencyNeverSatisfied ]] && break; sleep 0.5; done
sleep 3
for name in held partition-time dependency; do look "$name"; scancel -n "ponte-$name"; done

say 'a launch that fails'
touch /tmp/ponte-prolog-fails
submit launch -- true >/dev/null
for _ in $(seq 1 100); do [[ $(state launch %r) == *held* ]] && break; sleep 0.5; done
look launch
rm /tmp/ponte-prolog-fails
scontrol update nodename=n[1-3] state=resume 2>/dev/null
scontrol release "$(state launch %F)_0"
until_state launch COMPLETED 180
look launch

say 'preemption: cancelled in one partition, queued again in another'
submit cheap --partition=cheap --exclusive --nodes=1 --nodelist=n2 -- 'sleep 600' >/dev/null
until_state cheap RUNNING
submit high --partition=high --exclusive --nodelist=n2 -- 'sleep 5' >/dev/null
until_state cheap PREEMPTED
look cheap
submit requeued --requeue --exclusive --nodelist=n3 -- 'sleep 30' >/dev/null
until_state requeued RUNNING
submit higher --partition=high --exclusive --nodelist=n3 -- 'sleep 5' >/dev/null
until_state requeued PENDING
look requeued

say 'nodes that die'
submit node-fail --no-requeue -- 'sleep 90' >/dev/null
until_state node-fail RUNNING
node=$(node_of node-fail)
kill_node "$node"
until_state node-fail NODE_FAIL 120
look node-fail
start_node "$node"
submit node-requeue --requeue -- 'sleep 60' >/dev/null
until_state node-requeue RUNNING
node=$(node_of node-requeue)
kill_node "$node"
until_state node-requeue PENDING 120
look node-requeue
start_node "$node"

say 'a job that the controller forgets, and the one that gets its id'
submit kept -- 'sleep 60' >/dev/null
sleep 0.5
lost=$(submit lost --hold -- true)
kill -9 "$(controller)"
sleep 1
slurmctld
until_state kept RUNNING 60
look lost
reuser=$(submit reuser -- 'sleep 3')
say "lost had $lost, reuser has $reuser"
until_state reuser COMPLETED 60
look reuser

say 'answers of sbatch'
try() { sbatch --parsable --export=NIL --output=/dev/null "$@" --wrap=true; }
answer invalid-partition try --partition=nowhere
answer invalid-account try --account=nobody
answer invalid-qos try --qos=nobody
answer array-too-large try --array=0-99999
answer memory-test-only try --test-only --mem=900G
answer cpus try --ntasks=1 --cpus-per-task=9999
answer node-name try --nodelist=n99
kill -STOP "$(controller)"
answer frozen try --job-name=ponte-frozen --array=0
answer squeue-frozen squeue -h
answer sacct-frozen sacct -n
kill -CONT "$(controller)"
until_state frozen COMPLETED 30
look frozen
# Longer than between two saves of the controller's state.
sleep 7
kill -9 "$(controller)"
sleep 1
answer away try
answer squeue-away squeue -h
slurmctld
sleep 5
answer squeue-nobody squeue -h --name=ponte-nobody
answer scancel-nobody scancel --name=ponte-nobody

until_state timeout TIMEOUT 120
look timeout
until_state node-requeue 'COMPLETED' 240
look node-requeue
sleep 5
sacct -X -D -n -P -S now-60minutes -o JobID,JobName,State,ExitCode,NodeList,CPUTimeRAW | grep '|ponte-' >"$accounts"
say "wrote $queue, $accounts and $answers"
