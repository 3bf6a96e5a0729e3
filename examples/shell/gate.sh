#!/bin/sh
# Runs a command only if a value is recent enough.
#
#   gate.sh SECONDS SOURCE.FIELD [COMMAND [ARGUMENT]...]
#
#   gate.sh 600 tank.level && open-valve
#   gate.sh 600 tank.level sh -c 'echo "$PUMPHOUSE_VALUE" >> levels'
#
# COMMAND gets the value as PUMPHOUSE_VALUE, and the script exits with its exit code. Otherwise:
#
#   0  the value was observed at most SECONDS ago
#   1  the value is older or missing
#   2  wrong usage, or there is no such field
#   3  the server cannot be reached
#
# The server judges the age (max_age=), so the clock of this machine does not matter.
set -eu
. "$(dirname "$(readlink -f "$0")")/pumphouse.sh"

[ $# -ge 2 ] || usage
seconds=$1 field=$2
shift 2
case $seconds in '' | *[!0-9]*) usage ;; esac
is_field "$field" || usage

failed=0
answer=$(ask "/api/v1/values/$field.txt?max_age=$seconds" --write-out '%{http_code}') || failed=$?
# The status code follows the body, which ends with a newline.
code=${answer##*[!0-9]}
code=${code#"${code%???}"}
case $code in
200) ;;
503)
    complain "$field is older than $seconds s, or missing"
    exit 1
    ;;
400 | 401 | 403 | 404)
    complain "$PUMPHOUSE_URL does not return $field ($code)"
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
