#!/bin/sh
# Lets something happen only if a value is fresh enough.
#
#   gate.sh SECONDS SOURCE.FIELD [COMMAND [ARGUMENT]...]
#
#   gate.sh 600 tank.level && open-valve
#   gate.sh 600 tank.level sh -c 'echo "$PUMPHOUSE_VALUE" >> levels'
#
# COMMAND gets the value as PUMPHOUSE_VALUE, and its exit code is that of the script. Else:
#
#   0  the value was observed at most SECONDS ago
#   1  it is older, missing, or never came
#   2  used wrongly, or there is no such field
#   3  the server cannot be reached
#
# The age is judged by the server (max_age=): clocks of this machine do not matter.
set -eu
. "$(dirname "$(readlink -f "$0")")/pumphouse.sh"

[ $# -ge 2 ] || usage
seconds=$1 field=$2
shift 2
case $seconds in '' | *[!0-9]*) usage ;; esac
is_field "$field" || usage

failed=0
answer=$(ask "/api/v1/values/$field.txt?max_age=$seconds" --write-out '%{http_code}') || failed=$?
# The code stands behind the body, which ends its own line.
code=${answer##*[!0-9]}
code=${code#"${code%???}"}
case $code in
200) ;;
503)
    complain "$field is older than $seconds s, or missing"
    exit 1
    ;;
400 | 401 | 403 | 404)
    complain "$PUMPHOUSE_URL does not tell of $field ($code)"
    exit 2
    ;;
*)
    complain "$PUMPHOUSE_URL cannot be reached (curl: $failed)"
    exit 3
    ;;
esac

[ $# -gt 0 ] || exit 0
PUMPHOUSE_VALUE=${answer%"$code"}
PUMPHOUSE_VALUE=${PUMPHOUSE_VALUE%?}
export PUMPHOUSE_VALUE
exec "$@"
