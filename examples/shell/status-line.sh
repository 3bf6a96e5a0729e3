#!/bin/sh
# Prints the latest values on one line, for a prompt, tmux or a status bar.
#
#   status-line.sh                                   69.8 % · 59.7 degF
#   status-line.sh tank.level pump.battery           69.8 % · 12.8 V
#
# A stale value ends with ?; a missing one is -. If the server cannot be reached within
# PUMPHOUSE_TIMEOUT seconds (here 2), the line is "pumphouse?" and the exit code 1.
#
# In ~/.tmux.conf:   set -g status-right '#(~/bin/status-line.sh)'
#                    set -g status-interval 60
#
# An example of format=shell, which needs no jq: one request makes every value a variable. Only a
# response with a success status goes into eval.
set -eu
PUMPHOUSE_TIMEOUT=${PUMPHOUSE_TIMEOUT:-2}
. "$(dirname "$(readlink -f "$0")")/pumphouse.sh"

[ $# -gt 0 ] || set -- tank.level weather.temperature
fields=
for field in "$@"; do
    is_field "$field" || usage
    fields=$fields${fields:+,}$field
done

if ! values=$(ask "/api/v1/status?format=shell&fields=$fields" 2>/dev/null); then
    echo 'pumphouse?'
    exit 1
fi
eval "$values"

line=
for field in "$@"; do
    name=${field%.*}_${field#*.}
    # The variable of a field that is named like a member of its source, such as state, ends with
    # _value.
    eval "value=\${${name}_value-\${$name-}} unit=\${${name}_value_unit-\${${name}_unit-}}"
    eval "state=\$${field%.*}_state"
    # shellcheck disable=SC2154 # eval sets them.
    case $state in
    fresh) mark= ;;
    *) mark='?' ;;
    esac
    line=$line${line:+ · }${value:--}${value:+${unit:+ $unit}}$mark
done
printf '%s\n' "$line"
