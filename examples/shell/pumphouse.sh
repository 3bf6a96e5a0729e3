# shellcheck shell=sh
# What the scripts beside this file share: how to ask. They read it by `.`, so keep it in their
# folder; links to the scripts from elsewhere work.
#
#   PUMPHOUSE_URL       where the server is; default https://localhost:6443
#   PUMPHOUSE_CA        a file with the certificate to trust, when it is self-signed: cert.pem
#   PUMPHOUSE_INSECURE  1: trust any certificate. For a first try on your own machine only.
#   PUMPHOUSE_TOKEN     a token, where the server is not open
#   PUMPHOUSE_TIMEOUT   seconds for a whole request; default 10
#
# The scripts need curl, and some of them jq.

PUMPHOUSE_URL=${PUMPHOUSE_URL:-https://localhost:6443}
PUMPHOUSE_URL=${PUMPHOUSE_URL%/}

# complain TEXT...: says it on standard error, with the script's name before it.
complain() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# usage: shows the script's own head, which is its manual, and ends.
usage() {
    sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0" >&2
    exit 2
}

# need PROGRAM PACKAGE: ends when a program is missing.
need() {
    command -v "$1" >/dev/null && return
    complain "$1 is missing; on Debian: apt-get install $2"
    exit 2
}

# is_field TEXT: whether it is a source and a field, such as tank.level. Check this before a name
# goes into an address or into eval.
is_field() {
    case $1 in
    *[!a-z0-9_.]* | *.*.* | .* | *.) return 1 ;;
    *.*) return 0 ;;
    *) return 1 ;;
    esac
}

# is_number TEXT: whether it is a decimal number.
is_number() {
    case $1 in
    '' | *[!0-9.-]* | *.*.* | ?*-* | - | .) return 1 ;;
    *) return 0 ;;
    esac
}

# ask PATH [CURL OPTION]...: the body on standard output. Fails when the answer is no success; the
# body is a problem in JSON then, and what curl has to say is on standard error.
ask() {
    path=$1
    shift
    set -- --silent --show-error --fail-with-body --max-time "${PUMPHOUSE_TIMEOUT:-10}" "$@" \
        "$PUMPHOUSE_URL$path"
    [ "${PUMPHOUSE_INSECURE:-}" = 1 ] && set -- --insecure "$@"
    [ -n "${PUMPHOUSE_CA:-}" ] && set -- --cacert "$PUMPHOUSE_CA" "$@"
    # The token goes through a pipe: what stands on a command line, every user can read.
    if [ -n "${PUMPHOUSE_TOKEN:-}" ]; then
        printf 'Authorization: Bearer %s\n' "$PUMPHOUSE_TOKEN" | curl --header @- "$@"
    else
        curl "$@"
    fi
}

# reason BODY FILE: why ask failed: what the server said in BODY, else what curl said in FILE.
reason() {
    detail=$(printf '%s\n' "$1" | jq -r '.detail? // empty' 2>/dev/null) || detail=''
    printf '%s\n' "${detail:-$(cat "$2")}"
}
