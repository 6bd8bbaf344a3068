#!/bin/sh
# One task of the built-in scheduler, as the leader of its own session. It outlives the agent, so it keeps the books
# itself. Usage: local-task.sh STATE_PREFIX COMMAND...
#   STATE_PREFIX.start  "pid start-time boot-id", linked: of two launchers of one task only one goes on
#   STATE_PREFIX.end    the exit code
#   STATE_PREFIX.cancelled   written by the agent; nothing is started any more
prefix=$1
shift

set_start_time() { # field 22 of stat; nothing before it can hold a space, because this process is called "sh"
  read -r stat < "/proc/$$/stat"
  set -- $stat
  start_time=${22}
}
set_start_time
read -r boot < /proc/sys/kernel/random/boot_id

# Before the start is marked, because from then on we may be asked to end.
child=
asked=
trap 'asked=yes; [ -z "$child" ] || kill -TERM "$child" 2> /dev/null' TERM INT

mark="$prefix.start.$$"
echo "$$ $start_time $boot" > "$mark"
if ! ln "$mark" "$prefix.start" 2> /dev/null; then
  rm -f "$mark"
  exit 0
fi
rm -f "$mark"
# Who cancels writes its mark and then looks for our start; we do it the other way round, so one sees the other.
[ ! -e "$prefix.cancelled" ] || exit 0

"$@" &
child=$!
[ -z "$asked" ] || kill -TERM "$child" 2> /dev/null
while :; do
  wait "$child"
  code=$?
  # `wait` also returns when the trap has run; only a child that is gone has given its code.
  kill -0 "$child" 2> /dev/null || break
done
echo "$code" > "$prefix.end.tmp"
mv "$prefix.end.tmp" "$prefix.end"
