# Runs commands of the README as they are written there. Only what a test cannot do is replaced: a password of
# sudo, systemd, a person who answers, looks at a page, and waits.
#
#   ANSWERS   file with the answers to the questions of init
#   PAGE      file for the page that `serve` shows
#   PRINTED   file for what `init` prints
#   TRUST     README's command that lets curl trust the certificate
set -euo pipefail

# After a failure a server would keep the output open, for which the test waits.
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

sudo() { "$@"; }

# The machine has the package, and no network.
apt-get() { test "$*" = "install supervisor"; }

# supervisord is the only service here.
systemctl() {
    test "$*" = "restart supervisor"
    if [ -e /run/supervisord.pid ]; then
        kill "$(cat /run/supervisord.pid)"
        patiently test ! -e /run/supervisord.pid
    fi
    supervisord -c /etc/supervisor/supervisord.conf
}

# Repeats a command until it succeeds, for a minute.
patiently() {
    for _ in $(seq 600); do
        if "$@"; then return; fi
        sleep 0.1
    done
    echo "in vain: $*" >&2
    return 1
}

supervisorctl() {
    case $1 in
    status) patiently command supervisorctl "$@" ;;
    *) command supervisorctl "$@" ;;
    esac
}

# Opens the addresses that `init` has printed.
look() {
    addresses=$(grep '^Then open ' "$PRINTED" | grep -o 'https://[^ ,]*/')
    test -n "$addresses"
    eval "$TRUST"
    for address in $addresses; do
        curl --silent --fail --output "$PAGE" "$address" || return 1
        grep -q '51\.2' "$PAGE" || return 1
    done
}

pumphouse-web() {
    case $1 in
    init) script -qec "$(printf '%q ' pumphouse-web "$@")" /dev/null <"$ANSWERS" | tee "$PRINTED" ;;
    serve)
        command pumphouse-web "$@" &
        patiently look
        kill -INT $!
        wait $!
        ;;
    *) command pumphouse-web "$@" ;;
    esac
}

set -x
