#!/usr/bin/env bash
# Faults of a cluster that `make cluster` runs, and their end.
#
#   fault.sh FOLDER VERB NAME     as FOLDER/fault VERB NAME
#
# run.sh beside this writes FOLDER.
set -euo pipefail

folder=$1
shift
# shellcheck source=/dev/null
. "$folder/settings"
# Set by the file.
: "${binary:?}" "${programs:?}" "${port:?}" "${as?}"

usage() {
    cat >&2 <<END
usage: $folder/fault VERB NAME

  kill    end it at once (KILL)
  stop    end it as a service manager does (TERM)
  start   start it again
  pause   stop it with its sockets open (STOP)
  resume  continue it (CONT)

NAME: a, b or c (a replica), database, balancer, upstream
END
    exit 2
}

# Starts a command that outlives this script, and notes its process.
launch() {
    setsid "$@" >>"$folder/$name.log" 2>&1 </dev/null &
    echo "$! $(started $!)" >"$folder/$name.pid"
}

# Prints the time at which a process was started, in ticks since boot.
started() {
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

start() {
    if is_running; then
        echo "$name runs already" >&2
        return
    fi
    case $name in
    database)
        # It has ended, but where no process waits for it, PostgreSQL takes it for running.
        rm -f "$folder/database/data/postmaster.pid"
        # shellcheck disable=SC2086 # Several words, or none.
        launch $as "$programs/postgres" -D "$folder/database/data"
        ;;
    balancer) launch haproxy -db -f "$folder/haproxy.cfg" ;;
    upstream) launch python3 "$folder/upstreams.py" "$((port + 40))" ;;
    *)
        cd "$folder/$name"
        launch "$binary" serve --config pumphouse.toml
        ;;
    esac
}

process() {
    cut -d ' ' -f 1 "$folder/$name.pid" 2>/dev/null
}

# A process that has ended but was not waited for counts as ended. Another process may have its number since.
is_running() {
    local process at state
    read -r process at 2>/dev/null <"$folder/$name.pid" || return 1
    test -n "$at" && test "$at" = "$(started "$process")" || return 1
    state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$process/status" 2>/dev/null) || return 1
    test -n "$state" && test "$state" != Z
}

# Sends a signal to a program and the processes that it has started, as those of PostgreSQL's sessions.
signal() {
    local children
    is_running || {
        echo "$name does not run" >&2
        return
    }
    children=$(cat "/proc/$(process)/task/"*/children 2>/dev/null) || true
    # shellcheck disable=SC2086 # One word for each process. Some may have ended.
    kill "-$1" "$(process)" $children 2>/dev/null || true
}

# Ends a program and the processes that it has started at once.
slay() {
    signal KILL
    while is_running; do sleep 0.1; done
}

# Ends a program in its own way, also one that is paused.
stop() {
    is_running || return 0
    # PostgreSQL takes TERM as a request to wait for its sessions.
    if test "$name" = database; then kill -INT "$(process)"; else kill -TERM "$(process)"; fi 2>/dev/null || true
    # It may have ended already.
    signal CONT 2>/dev/null
    for _ in $(seq 150); do
        is_running || return 0
        sleep 0.1
    done
    echo "$name still runs after 15 s: it is killed" >&2
    slay
}

test $# = 2 || usage
verb=$1 name=$2
case $name in
a | b | c | database | balancer | upstream) ;;
*) usage ;;
esac
case $verb in
start) start ;;
stop) stop ;;
kill) slay ;;
pause) signal STOP ;;
resume) signal CONT ;;
*) usage ;;
esac
