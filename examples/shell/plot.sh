#!/bin/sh
# Draws the history of a field as a PNG.
#
#   plot.sh [-d DAYS] [-s STEP] [-o FILE] SOURCE.FIELD
#
#   plot.sh -d 30 -o level.png tank.level
#
#   -d  days up to now (default 7)
#   -s  time between two points, such as 1h (default: chosen for at most 2,000 points)
#   -o  output file (default SOURCE.FIELD.png)
#
# The line is the mean of each step, the band its minimum to its maximum. Needs gnuplot. The server
# also renders charts: /chart/tank.level.svg?range=30d.
set -eu
. "$(dirname "$(readlink -f "$0")")/pumphouse.sh"

days=7 step='' picture=''
while getopts d:s:o: option; do
    case $option in
    d) days=$OPTARG ;;
    s) step=$OPTARG ;;
    o) picture=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
if ! { [ $# -eq 1 ] && is_field "$1" && is_number "$days"; }; then usage; fi
case $step in *[!a-z0-9]*) usage ;; esac
field=$1
picture=${picture:-$field.png}
need gnuplot gnuplot-nox

csv=$(mktemp)
trap 'rm -f "$csv" "$csv.why"' EXIT
# On an error no picture is drawn.
query="field=$field&days=$days&format=csv${step:+&step=$step}"
if ! ask "/api/v1/history?$query" >"$csv" 2>"$csv.why"; then
    complain "no history of $field: $(reason "$(cat "$csv")" "$csv.why")"
    exit 1
fi
if [ "$(wc -l <"$csv")" -lt 2 ]; then
    complain "nothing of $field was recorded in the last $days days"
    exit 1
fi

# Names are passed in the environment, where a quote has no effect.
FIELD=$field CSV=$csv PICTURE=$picture gnuplot <<'PLOT'
field = system("printf %s \"$FIELD\"")
csv = system("printf %s \"$CSV\"")
set terminal pngcairo size 1000,400
set output system("printf %s \"$PICTURE\"")
set datafile separator ","
set xdata time
set timefmt "%Y-%m-%dT%H:%M:%SZ"
set format x "%d %b\n%H:%M"
set title field noenhanced
set grid
unset key
plot csv using 1:3:4 skip 1 with filledcurves linecolor rgb "#c5dff0", \
     csv using 1:2 skip 1 with lines linewidth 2 linecolor rgb "#1f6fa8"
PLOT
printf '%s\n' "$picture"
