#!/bin/sh
# Checks one value against thresholds, as a plugin for Nagios, Icinga and compatible monitors.
#
#   check_pumphouse.sh [-u URL] -f SOURCE.FIELD [-w RANGE] [-c RANGE] [-a SECONDS] [-t SECONDS]
#
#   check_pumphouse.sh -f tank.level -w 30: -c 15: -a 3600
#   PUMPHOUSE OK: tank.level is 84.6 %, observed 2026-01-31T17:16:00Z | 'tank.level'=84.6%;30:;15:
#
#   -u  URL of the server (default: $PUMPHOUSE_URL)
#   -f  field to check
#   -w  WARNING if the value is outside this range
#   -c  CRITICAL if the value is outside this range
#   -a  UNKNOWN if the observation is older than this; by default, if the server reports it as stale
#   -t  timeout of a request in seconds (default 10)
#
# Ranges are those of the Monitoring Plugins: 10 is 0 to 10, 30: is 30 and above, ~:10 is 10 and
# below, 10:20 is between the two, and @10:20 is outside of them. Exit codes: 0 OK, 1 WARNING, 2
# CRITICAL (also: the server cannot be reached), 3 UNKNOWN. Needs curl and jq.
#
#   object CheckCommand "pumphouse" {
#     command = [ PluginContribDir + "/check_pumphouse.sh" ]
#     arguments = { "-u" = "$pumphouse_url$", "-f" = "$pumphouse_field$",
#                   "-w" = "$pumphouse_warning$", "-c" = "$pumphouse_critical$" }
#   }
set -eu
. "$(dirname "$(readlink -f "$0")")/pumphouse.sh"

# finish WORD CODE TEXT
finish() {
    printf 'PUMPHOUSE %s: %s\n' "$1" "$3"
    exit "$2"
}
unknown() {
    finish UNKNOWN 3 "$*"
}

field='' warning='' critical='' age=''
while getopts u:f:w:c:a:t:h option; do
    case $option in
    u) PUMPHOUSE_URL=${OPTARG%/} ;;
    f) field=$OPTARG ;;
    w) warning=$OPTARG ;;
    c) critical=$OPTARG ;;
    a) age=$OPTARG ;;
    t) PUMPHOUSE_TIMEOUT=$OPTARG ;;
    *) (usage) || exit 3 ;;
    esac
done
is_field "$field" || unknown "-f SOURCE.FIELD is missing, such as -f tank.level"
case $age in *[!0-9]*) unknown "-a is a number of seconds" ;; esac
command -v jq >/dev/null || unknown "jq is missing; on Debian: apt-get install jq"

# breaks RANGE NUMBER: succeeds if the number calls for an alert. Returns 2 for a malformed range.
breaks() {
    [ -n "$1" ] || return 1
    awk -v range="$1" -v value="$2" 'BEGIN {
        number = "^-?([0-9]+[.]?[0-9]*|[.][0-9]+)$"
        inside = sub(/^@/, "", range)
        parts = split(range, part, ":")
        low = parts == 1 ? "0" : part[1] == "" ? "0" : part[1]
        high = parts == 1 ? part[1] : part[2]
        if (parts > 2 || range == "" || range == ":") exit 2
        if (low != "~" && low !~ number || high != "" && high !~ number) exit 2
        below = low != "~" && value + 0 < low + 0
        above = high != "" && value + 0 > high + 0
        outside = below || above
        exit inside ? outside : !outside
    }'
}

why=$(mktemp)
trap 'rm -f "$why"' EXIT
if ! answer=$(ask "/api/v1/values/$field${age:+?max_age=$age}" 2>"$why"); then
    reason=$(reason "$answer" "$why")
    # A response with a body is an error of the server; no body means that it was not reached.
    [ -z "$answer" ] || unknown "$reason"
    finish CRITICAL 2 "$PUMPHOUSE_URL cannot be reached: $reason"
fi

# One line for each, as a value may contain spaces. Members that may be empty are not the last: $()
# strips trailing newlines.
members=$(printf '%s' "$answer" | jq -r '
    .state, .observed_at, .unit // "", (.value // .note | tostring | gsub("[\n\r|]"; " ")),
    (.value | type)') || unknown "the answer is no value: $answer"
{
    read -r state
    read -r observed
    read -r unit
    read -r value
    read -r type
} <<MEMBERS
$members
MEMBERS
[ "$type" = number ] || unknown "$field is no number: $value"
[ -n "$age" ] || [ "$state" = fresh ] || unknown "$field is $state: $value, observed $observed"

word=OK code=0
for threshold in "WARNING 1 $warning" "CRITICAL 2 $critical"; do
    range=${threshold#* ? }
    verdict=0
    breaks "$range" "$value" || verdict=$?
    case $verdict in
    0)
        word=${threshold%% *}
        code=${threshold#* }
        code=${code%% *}
        ;;
    1) ;;
    *) unknown "$range is no range" ;;
    esac
done

# Of the units of the server, performance data only has %.
[ "$unit" = % ] && uom=% || uom=
finish "$word" "$code" "$field is $value${unit:+ $unit}, observed $observed | \
'$field'=$value$uom;$warning;$critical"
