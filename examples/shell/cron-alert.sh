#!/bin/sh
# Tells somebody when a tank is low, or when nobody knows any more: once, not at every run, and
# once more when all is well again.
#
#   cron-alert.sh -l LOW [-c CLEAR] [-a SECONDS] [-s FILE] [SOURCE.FIELD] [COMMAND...]
#
#   -l  low is below this
#   -c  well again at this or above (default: LOW), so that a value at the edge does not flutter
#   -a  a value older than that is not known any more (default 3600)
#   -s  where to remember what was told (default: in ~/.local/state/pumphouse)
#
# COMMAND gets the message on standard input, and its first line as PUMPHOUSE_SUBJECT. Without one
# it is printed, and cron mails what is printed:
#
#   MAILTO=you@example.org
#   */10 * * * *  cron-alert.sh -l 25 -c 30 tank.level
#   */10 * * * *  cron-alert.sh -l 25 tank.level sh -c 'mail -s "$PUMPHOUSE_SUBJECT" you@example.org'
#
# What could not be told, because COMMAND failed, is told at the next run.
set -eu
. "$(dirname "$(readlink -f "$0")")/pumphouse.sh"

low='' clear='' age=3600 memory=''
while getopts l:c:a:s: option; do
    case $option in
    l) low=$OPTARG ;;
    c) clear=$OPTARG ;;
    a) age=$OPTARG ;;
    s) memory=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
field=${1:-tank.level}
[ $# -eq 0 ] || shift
clear=${clear:-$low}
if ! { is_field "$field" && is_number "$low" && is_number "$clear"; }; then usage; fi
case $age in '' | *[!0-9]*) usage ;; esac
memory=${memory:-${XDG_STATE_HOME:-$HOME/.local/state}/pumphouse/$field}
need jq jq

# below A B: whether A < B; a shell has no fractions.
below() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 < b + 0) }'
}

told=well
[ ! -r "$memory" ] || told=$(cat "$memory")

why=$(mktemp)
trap 'rm -f "$why"' EXIT
if ! answer=$(ask "/api/v1/values/$field.txt?max_age=$age" 2>"$why"); then
    now=unknown message="$field is not known: $(reason "$answer" "$why")"
elif ! is_number "$answer"; then
    now=unknown message="$field is no number: $answer"
elif below "$answer" "$low"; then
    now=low message="$field is low: $answer, below $low"
elif [ "$told" = low ] && below "$answer" "$clear"; then
    # Between the two: what was told still holds.
    exit 0
else
    now=well message="$field is well again: $answer"
fi
[ "$now" != "$told" ] || exit 0

PUMPHOUSE_SUBJECT=$message
export PUMPHOUSE_SUBJECT
[ $# -gt 0 ] || set -- cat
printf '%s\n%s\n' "$message" "$PUMPHOUSE_URL/" | "$@"
mkdir -p "$(dirname "$memory")"
# Renamed into place, so that a full disk does not leave half a word.
printf '%s\n' "$now" >"$memory.new"
mv "$memory.new" "$memory"
