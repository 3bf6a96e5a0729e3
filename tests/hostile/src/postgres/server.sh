# Runs a PostgreSQL server for tests until standard input ends, and removes its folder then. The tests hold the other end
# of standard input, so the server ends with them, also if they are killed.
#
# Arguments: folder of the programs, folder of the server, port, and a command that changes the user (none, if empty);
# for a standby, also the folder and the port of its primary.
# Commands on standard input, each answered by a line: `start`, `fast` (as at a restart of the machine),
# `kill` (every process at once).
set -u
umask 077
# Tests that were killed during the start read no answer, which must not end this before the server.
trap '' PIPE
programs=$1 folder=$2 port=$3 as=$4 primary=${5-} primary_port=${6-}
data=$folder/data
server=

fail() {
    echo "$1"
    tail -n 20 "$folder/log"
    rm -rf "$folder"
    exit 1
}

start() {
    $as "$programs/postgres" -D "$data" >>"$folder/log" 2>&1 </dev/null &
    server=$!
    # After a crash, the server waits for the end of the processes of the one before.
    for _ in $(seq 600); do
        kill -0 "$server" 2>/dev/null || fail "the server ended"
        "$programs/pg_isready" -q -h "$folder" -p "$port" && return
        sleep 0.05
    done
    fail "the server is not ready after 30 s"
}

# Sends a signal to the server, and waits for its end.
halt() {
    test -n "$server" || return
    kill "-$1" "$server" 2>/dev/null
    # A server that was stopped could not end.
    # shellcheck disable=SC2046 # One word for each process.
    kill -CONT "$server" $(children) 2>/dev/null
    wait "$server" 2>/dev/null
    server=
}

children() {
    cat "/proc/$server/task/$server/children" 2>/dev/null
}

test -z "$as" || chown -R postgres: "$folder" || fail "chown failed"
: >>"$folder/log"
cd "$folder" || exit 1
if test -n "$primary"; then
    $as "$programs/pg_basebackup" -h "$primary" -p "$primary_port" -U postgres -D "$data" -R -X stream -c fast \
        --no-sync >>"$folder/log" 2>&1 || fail "pg_basebackup failed"
else
    $as "$programs/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C --no-sync >>"$folder/log" 2>&1 ||
        fail "initdb failed"
fi
cat "$folder/postgresql.conf" >>"$data/postgresql.conf"
cat "$folder/pg_hba.conf" >"$data/pg_hba.conf"
start
test -n "$primary" ||
    "$programs/psql" -q -X -h "$folder" -p "$port" -U postgres -d postgres -v ON_ERROR_STOP=1 \
        -f "$folder/roles.sql" >>"$folder/log" 2>&1 || fail "the roles cannot be created"
echo ready

while read -r command; do
    case $command in
    start) start ;;
    fast) halt INT ;;
    kill)
        # shellcheck disable=SC2046 # One word for each process.
        kill -KILL $(children) 2>/dev/null
        halt KILL
        ;;
    esac
    echo 'done'
done

halt QUIT
rm -rf "$folder"
