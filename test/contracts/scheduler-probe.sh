#!/bin/sh
# A task of the contract suite. Usage: scheduler-probe.sh FOLDER INDEX. Adds a line to FOLDER/started.INDEX, waits while
# FOLDER/wait exists, ends with the code in FOLDER/code.INDEX (0 without it).
folder=$1
index=$2
echo $$ >> "$folder/started.$index"
env > "$folder/environment.$index"
while [ -e "$folder/wait" ]; do sleep 0.05; done
echo "said by $index"
code=0
[ -e "$folder/code.$index" ] && read -r code < "$folder/code.$index"
exit "$code"
