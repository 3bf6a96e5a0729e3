#!/bin/sh
# Prints values as they change, and costs next to nothing while they do not.
#
#   watch.sh [-i SECONDS] [-n TIMES] [SOURCE.FIELD]...
#
#   watch.sh tank.level pump.state
#   2026-01-31T17:16:00Z tank.level 84.6 %
#
#   -i  seconds from one look to the next (default: when the server expects something new)
#   -n  end after so many changes
#
# Each look sends the entity tag of the last answer along; as long as nothing has changed the
# server answers 304 and no body. `Cache-Control: max-age` says when the next poll is due, so
# looking earlier would be in vain. What fails is said once, and tried again.
set -eu
. "$(dirname "$(readlink -f "$0")")/pumphouse.sh"

interval='' times=''
while getopts i:n: option; do
    case $option in
    i) interval=$OPTARG ;;
    n) times=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
case $interval$times in *[!0-9]*) usage ;; esac
[ $# -gt 0 ] || set -- tank.level
fields=
for field in "$@"; do
    is_field "$field" || usage
    fields=$fields${fields:+,}$field
done
need jq jq

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# shellcheck disable=SC2016 # These are jq's variables.
lines='.sources | to_entries[] | .key as $source | .value | .observed_at as $at
    | .values | to_entries[]
    | (.value.value // "-" | tostring | gsub("[\n\r]"; " ")) as $value
    | "\($at) \($source).\(.key) \($value) \(.value.unit // "")" | rtrimstr(" ")'

failing=
touch "$folder/tag" "$folder/before"
while :; do
    if ask "/api/v1/status?fields=$fields" --etag-compare "$folder/tag" --etag-save "$folder/tag.new" \
        --dump-header "$folder/head" --output "$folder/body" 2>"$folder/why"; then
        failing=
        if [ -s "$folder/body" ]; then
            mv "$folder/tag.new" "$folder/tag"
            jq -r "$lines" "$folder/body" >"$folder/now"
            # A poll that brought the same values is no change of them.
            cut -d' ' -f2- "$folder/now" >"$folder/now.values"
            grep -vxF -f "$folder/before" "$folder/now.values" >"$folder/new" || :
            while read -r line; do
                grep -F " $line" "$folder/now"
                [ -z "$times" ] || times=$((times - 1))
                [ "$times" != 0 ] || exit 0
            done <"$folder/new"
            mv "$folder/now.values" "$folder/before"
        fi
        rm -f "$folder/body"
        wait=$(sed -n 's/^[Cc]ache-[Cc]ontrol:.*max-age=\([0-9]*\).*/\1/p' "$folder/head")
    else
        [ -n "$failing" ] || complain "$(reason "$(cat "$folder/body" 2>/dev/null)" "$folder/why")"
        failing=1 wait=30
        rm -f "$folder/body"
    fi
    wait=${interval:-${wait:-30}}
    [ "$wait" -gt 0 ] || wait=1
    sleep "$wait"
done
