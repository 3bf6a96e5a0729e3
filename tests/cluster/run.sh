#!/usr/bin/env bash
# Runs three replicas, a PostgreSQL server, a balancer and simulated sensors on loopback until Ctrl-C.
#
#   run.sh BINARY FOLDER
#
# FOLDER is made anew, and gets the configurations, the logs and the script `fault`. The programs listen on ports
# from CLUSTER_PORT on, by default 6500.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "cluster: $*" >&2
    exit 1
}

binary=$(realpath "$1")
port=${CLUSTER_PORT:-6500}
names="a b c"

rm -rf "$2"
mkdir -p "$2"
folder=$(realpath "$2")
programs=$(for path in /usr/lib/postgresql/*/bin; do echo "$path"; done | sort -V | tail -n 1)
test -x "$programs/postgres" || programs=$(dirname "$(command -v postgres || echo /nowhere/postgres)")
test -x "$programs/postgres" || fail "PostgreSQL is missing: apt-get install postgresql"
command -v haproxy >/dev/null || fail "haproxy is missing: apt-get install haproxy"
# PostgreSQL refuses to run as root.
as=
test "$(id -u)" != 0 || as="setpriv --reuid=postgres --regid=postgres --init-groups --"

# The folder of the database is elsewhere: its user may not enter this one, and the path of a socket is short.
database=$(mktemp -d "${TMPDIR:-/tmp}/pumphouse-cluster.XXXXXX")
ln -s "$database" "$folder/database"

# shellcheck disable=SC2317,SC2329 # The trap calls it.
clean_up() {
    trap '' INT TERM
    for name in balancer $names upstream; do
        "$here/fault.sh" "$folder" stop "$name" &
    done
    wait
    "$here/fault.sh" "$folder" stop database || true
    rm -rf "$database"
}
trap clean_up EXIT
trap 'exit 0' INT TERM

{
    printf 'binary=%q\nprograms=%q\nport=%q\nas=%q\n' "$binary" "$programs" "$port" "$as"
} >"$folder/settings"
cp "$here/upstreams.py" "$folder/"
printf '#!/bin/sh\nexec "%s/fault.sh" "%s" "$@"\n' "$here" "$folder" >"$folder/fault"
chmod +x "$folder/fault"

# Prints the sources, which are the same for all replicas.
sources() {
    local group number
    for group in north south; do
        for number in 1 2; do
            cat <<END
[[source]]
name = "tank_${group}_$number"
title = "Tank $number"
group = "$group"
kind = "json"
url = "http://127.0.0.1:$((port + 40))/tank_${group}_$number"
interval = "5s"
values.level = { pointer = "/level", unit = "%" }
values.volume = { pointer = "/volume", unit = "gal" }

END
        done
        cat <<END
[[source]]
name = "pump_$group"
title = "Pump"
group = "$group"
kind = "json"
url = "http://127.0.0.1:$((port + 40))/pump_$group"
interval = "5s"
values.pressure = { pointer = "/pressure", unit = "psi" }
values.flow = { pointer = "/flow", unit = "gal/min" }
values.running = { pointer = "/running" }

[[source]]
name = "weather_$group"
title = "Weather"
group = "$group"
kind = "json"
url = "http://127.0.0.1:$((port + 40))/weather_$group"
interval = "5s"
values.temperature = { pointer = "/temperature", unit = "°C" }
values.humidity = { pointer = "/humidity", unit = "%" }
values.wind = { pointer = "/wind", unit = "km/h" }

END
    done
}

{
    cat <<END
defaults
    mode http
    timeout connect 1s
    timeout client 75s
    timeout server 60s
    option forwardfor
    option redispatch 1
    retries 2

listen pumphouse
    bind 127.0.0.1:$port
    option httpchk GET /healthz
    http-response set-header X-Replica %s
    # A replica that is paused answers no check. Its requests end then.
    default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
END
    number=10
    for name in $names; do
        number=$((number + 1))
        echo "    server $name 127.0.0.1:$((port + number)) check port $((port + number + 10))"
    done
    cat <<END

listen states
    bind 127.0.0.1:$((port + 1))
    stats enable
    stats uri /
    stats refresh 2s
END
} >"$folder/haproxy.cfg"

number=10
for name in $names; do
    number=$((number + 1))
    mkdir "$folder/$name"
    {
        cat <<END
[server]
replica = "$name"
listen = ["127.0.0.1:$((port + number))"]
admin_listen = "127.0.0.1:$((port + number + 10))"
trusted_proxies = ["127.0.0.1"]

[auth]
open = true

[site]
title = "Pump house"

[store]
url = "postgresql://pumphouse@127.0.0.1:$((port + 32))/pumphouse"

END
        sources
    } >"$folder/$name/pumphouse.toml"
done

# Waits until a command succeeds.
wait_for() {
    local what=$1
    shift
    for _ in $(seq 600); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    tail -n 5 "$folder"/*.log >&2 || true
    fail "not after 60 s: $what"
}

test -z "$as" || chown postgres: "$database"
# shellcheck disable=SC2086 # Several words, or none.
(cd "$database" && $as "$programs/initdb" -D "$database/data" -U postgres -A trust -E UTF8 --locale=C --no-sync) \
    >"$folder/database.log" 2>&1 || { cat "$folder/database.log" >&2; fail "initdb failed"; }
cat >"$folder/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $((port + 32))
unix_socket_directories = '$database'
fsync = off
END
cat "$folder/postgresql.conf" >>"$database/data/postgresql.conf"
psql=("$programs/psql" -X -q -h "$database" -p "$((port + 32))" -U postgres -d postgres)

"$folder/fault" start upstream
"$folder/fault" start database
wait_for "the database answers" "${psql[@]}" -c "SELECT 1"
"${psql[@]}" -c "CREATE ROLE pumphouse LOGIN" -c "CREATE DATABASE pumphouse OWNER pumphouse"
for name in $names; do "$folder/fault" start "$name"; done
"$folder/fault" start balancer
wait_for "the page is served" curl -sf --max-time 5 "http://127.0.0.1:$port/ping"

cat <<END

Three replicas serve http://127.0.0.1:$port/
  each of them:       http://127.0.0.1:$((port + 11))/ (a), http://127.0.0.1:$((port + 12))/ (b), http://127.0.0.1:$((port + 13))/ (c)
  states by balancer: http://127.0.0.1:$((port + 1))/
  polls of sensors:   curl http://127.0.0.1:$((port + 40))/polls
  who polls what:     curl http://127.0.0.1:$((port + 21))/scoreboard
  the database:       psql -h 127.0.0.1 -p $((port + 32)) -U postgres pumphouse
  logs:               $folder/a.log, b.log, c.log, database.log, balancer.log

Faults, in another terminal:
  $folder/fault kill a             # end a replica at once; "start a" starts it again
  $folder/fault pause b            # stop it with its sockets open; "resume b" continues it
  $folder/fault pause database     # or: kill, stop; then resume or start
  $folder/fault                    # lists the rest

Ctrl-C ends all of it.
END
while true; do
    sleep 1 &
    wait $! || true
done
