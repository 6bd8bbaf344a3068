#!/bin/sh
# One of the workers inside an allocation: takes tasks from the list until none is left.
# Usage: pool-worker.sh LEDGER_FOLDER LOG_PREFIX TASK,TASK,... COMMAND...
#   LEDGER_FOLDER/JOB.RESTART.TASK/       made by the one worker that takes the task; mkdir(2) is atomic
#   LEDGER_FOLDER/JOB.RESTART.TASK/code   how the command ended
# A requeue counts RESTART up and goes through the list again; tasks with all their records then end at once.
ledger=$1
log_prefix=$2
tasks=$3
shift 3
run="$ledger/$SLURM_JOB_ID.${SLURM_RESTART_COUNT:-0}"

child=
asked=
trap 'asked=yes; [ -z "$child" ] || kill -TERM "$child" 2> /dev/null' TERM INT

run_task() {
  "$@" >> "$log" 2>&1 &
  child=$!
  while :; do
    wait "$child"
    code=$?
    # `wait` also returns when the trap has run; only a child that is gone has given its code.
    kill -0 "$child" 2> /dev/null || break
  done
  child=
}

IFS=,
for task in $tasks; do
  unset IFS
  [ -z "$asked" ] || exit 143
  if ! mkdir "$run.$task" 2> /dev/null; then
    [ -d "$run.$task" ] && continue
    echo "cannot write to $ledger" >&2
    exit 73
  fi
  log="$log_prefix$task.log"
  tries=0
  run_task "$@" "$task"
  # 75: a claim that an earlier start left behind still looks alive.
  while [ "$code" = 75 ] && [ "$tries" -lt 12 ] && [ -z "$asked" ]; do
    tries=$((tries + 1))
    sleep 5
    run_task "$@" "$task"
  done
  echo "$code" > "$run.$task/code"
done
