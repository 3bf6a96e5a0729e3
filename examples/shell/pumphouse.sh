# shellcheck shell=sh
# Functions that the scripts of this folder share. They source this file, so keep it beside them;
# symbolic links to the scripts work.
#
#   PUMPHOUSE_URL       URL of the server; default https://localhost:6443
#   PUMPHOUSE_CA        file with the certificate to trust if it is self-signed: cert.pem
#   PUMPHOUSE_INSECURE  1: accept any certificate. Only for a first try on your own machine.
#   PUMPHOUSE_TOKEN     token, if the server requires credentials
#   PUMPHOUSE_TIMEOUT   timeout of a request in seconds; default 10
#
# The scripts need curl, and some of them jq.

PUMPHOUSE_URL=${PUMPHOUSE_URL:-https://localhost:6443}
PUMPHOUSE_URL=${PUMPHOUSE_URL%/}

# complain TEXT...: prints the text to standard error, after the name of the script.
complain() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# usage: prints the head of the script, which is its manual, and exits with 2.
usage() {
    sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0" >&2
    exit 2
}

# need PROGRAM PACKAGE: exits with 2 if a program is missing.
need() {
    command -v "$1" >/dev/null && return
    complain "$1 is missing; on Debian: apt-get install $2"
    exit 2
}

# is_field TEXT: succeeds if the text names a source and a field, such as tank.level. Check this
# before a name goes into a URL or into eval.
is_field() {
    case $1 in
    *[!a-z0-9_.]* | *.*.* | .* | *.) return 1 ;;
    *.*) return 0 ;;
    *) return 1 ;;
    esac
}

# is_number TEXT: succeeds if the text is a decimal number.
is_number() {
    case $1 in
    '' | *[!0-9.-]* | *.*.* | ?*-* | - | .) return 1 ;;
    *) return 0 ;;
    esac
}

# ask PATH [CURL OPTION]...: requests PATH and prints the body. Fails unless the status is a success;
# the body is then a problem in JSON, and the message of curl is on standard error.
ask() {
    path=$1
    shift
    set -- --silent --show-error --fail-with-body --max-time "${PUMPHOUSE_TIMEOUT:-10}" "$@" \
        "$PUMPHOUSE_URL$path"
    [ "${PUMPHOUSE_INSECURE:-}" = 1 ] && set -- --insecure "$@"
    [ -n "${PUMPHOUSE_CA:-}" ] && set -- --cacert "$PUMPHOUSE_CA" "$@"
    # The token goes through a pipe: every user can read a command line.
    if [ -n "${PUMPHOUSE_TOKEN:-}" ]; then
        printf 'Authorization: Bearer %s\n' "$PUMPHOUSE_TOKEN" | curl --header @- "$@"
    else
        curl "$@"
    fi
}

# reason BODY FILE: prints why ask failed: the detail of the problem in BODY, or the message of curl
# in FILE.
reason() {
    detail=$(printf '%s\n' "$1" | jq -r '.detail? // empty' 2>/dev/null) || detail=''
    printf '%s\n' "${detail:-$(cat "$2")}"
}
