#!/bin/sh
# Runs one step of `make` and prints its seconds:
#
#     sh scripts/timed.sh NAME COMMAND [ARGUMENT…]
#
# With VIDP_STEPS=FILE, it also adds "SECONDS NAME RESULT" to that file, from which `.ci/run` prints its table. Names with a
# slash are parts of a step.
set -u
name=$1
shift
start=$(date +%s)
code=0
"$@" || code=$?
seconds=$(($(date +%s) - start))
[ "$code" -eq 0 ] && result=ok || result=FAILED
echo "step $name: $result, $seconds s"
if [ -n "${VIDP_STEPS:-}" ]; then
  echo "$seconds $name $result" >>"$VIDP_STEPS"
fi
exit "$code"
