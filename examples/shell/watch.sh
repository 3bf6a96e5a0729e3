#!/bin/sh
# Prints values when they change. Requests that find no change cost next to nothing.
#
#   watch.sh [-i SECONDS] [-n TIMES] [SOURCE.FIELD]...
#
#   watch.sh tank.level pump.state
#   2026-01-31T17:16:00Z tank.level 84.6 %
#
#   -i  seconds between requests (default: until the server expects a new value)
#   -n  exit after this number of changes
#
# Each request has the entity tag of the latest response; if nothing has changed, the server
# responds with 304 and no body. `Cache-Control: max-age` is the time until the next poll, so an
# earlier request would find nothing new. A failure is reported once, and the request repeated.
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
            # A poll with the same values is no change.
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
