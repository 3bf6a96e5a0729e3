#!/bin/sh
# Sends an alert when a value is low or not known, and another one when it is normal again. Each is
# sent once, not at every run.
#
#   cron-alert.sh -l LOW [-c CLEAR] [-a SECONDS] [-s FILE] [SOURCE.FIELD] [COMMAND...]
#
#   -l  threshold below which the value is low
#   -c  threshold at which it is normal again (default: LOW); a higher one avoids repeated alerts
#   -a  age in seconds beyond which a value counts as not known (default 3600)
#   -s  file that stores the last state (default: in ~/.local/state/pumphouse)
#
# COMMAND gets the message on standard input, and its first line as PUMPHOUSE_SUBJECT. Without a
# command the message is printed, and cron mails the output:
#
#   MAILTO=you@example.org
#   */10 * * * *  cron-alert.sh -l 25 -c 30 tank.level
#   */10 * * * *  cron-alert.sh -l 25 tank.level sh -c 'mail -s "$PUMPHOUSE_SUBJECT" you@example.org'
#
# If COMMAND fails, the alert is sent again at the next run.
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

# below A B: succeeds if A < B. The shell itself has no fractions.
below() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 < b + 0) }'
}

sent=well
[ ! -r "$memory" ] || sent=$(cat "$memory")

why=$(mktemp)
trap 'rm -f "$why"' EXIT
if ! answer=$(ask "/api/v1/values/$field.txt?max_age=$age" 2>"$why"); then
    now=unknown message="$field is not known: $(reason "$answer" "$why")"
elif ! is_number "$answer"; then
    now=unknown message="$field is no number: $answer"
elif below "$answer" "$low"; then
    now=low message="$field is low: $answer, below $low"
elif [ "$sent" = low ] && below "$answer" "$clear"; then
    # Between both thresholds the last state stays.
    exit 0
else
    now=well message="$field is normal again: $answer"
fi
[ "$now" != "$sent" ] || exit 0

PUMPHOUSE_SUBJECT=$message
export PUMPHOUSE_SUBJECT
[ $# -gt 0 ] || set -- cat
printf '%s\n%s\n' "$message" "$PUMPHOUSE_URL/" | "$@"
mkdir -p "$(dirname "$memory")"
# Renamed into place, so that a full disk leaves no truncated file.
printf '%s\n' "$now" >"$memory.new"
mv "$memory.new" "$memory"
