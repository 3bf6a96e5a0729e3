#!/usr/bin/env bash
# Installs a Debian package in a fresh root, configures and starts the server there as its unit does, and
# removes, reinstalls and purges the package. Needs root and mmdebstrap; takes a minute, mostly for the root.
set -euo pipefail

package=$(realpath "$1")
if [ "$(id -u)" != 0 ]; then
    echo "package: the fresh root needs the rights of root: sudo make package-test, after make package" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root

# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
echo "package: a fresh root of $suite" >&2
mmdebstrap --quiet --variant=minbase --include=adduser "$suite" "$root"
cp "$package" "$root/package.deb"

cat >"$root/inside.sh" <<'INSIDE'
set -eu
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
fail() { echo "package: $*" >&2; exit 1; }
owner() { stat -c '%U:%G %a' "$1"; }
configuration=/etc/pumphouse/pumphouse.toml

echo "package: installs" >&2
dpkg -i /package.deb
getent passwd pumphouse >/dev/null || fail "no user"
for folder in /etc/pumphouse /var/lib/pumphouse; do
    [ "$(owner "$folder")" = "pumphouse:pumphouse 750" ] || fail "$folder: $(owner "$folder")"
done
# The command and the condition of the unit, with the package's own file beside it.
own=/usr/lib/systemd/system/pumphouse-web.service.d/package.conf
command=$(sed -n 's/^ExecStart=\(.\)/\1/p' "$own")
[ "$(sed -n 's/^ConditionPathExists=//p' "$own")" = "$configuration" ] || fail "no condition"
[ ! -e "$configuration" ] || fail "there is a configuration already"
for file in /usr/share/man/man1/pumphouse-web.1.gz /usr/share/bash-completion/completions/pumphouse-web; do
    [ -s "$file" ] || fail "no $file"
done
examples=/usr/share/doc/pumphouse-web/examples
! grep -rF /usr/local/bin "$examples" || fail "examples name the program elsewhere"
grep -qF /usr/bin/pumphouse-web "$examples/supervisord.conf" || fail "no example of supervisord names the program"

echo "package: is configured and starts" >&2
pumphouse-web init --dir /etc/pumphouse --state /var/lib/pumphouse \
    --place 37.24,-122.14 --tank none --units us --open </dev/null
[ "$(owner /etc/pumphouse/certs/key.pem)" = "pumphouse:pumphouse 600" ] || fail "the key's owner"

serve() {
    (cd /var/lib/pumphouse && exec setpriv --reuid pumphouse --regid pumphouse --clear-groups \
        --no-new-privs $command 2>/server.log) &
    server=$!
    for _ in $(seq 300); do
        if pumphouse-web probe "$configuration"; then return; fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    cat /server.log >&2
    fail "the server is not healthy"
}
stop() { kill "$server" && wait "$server" || fail "the server ended with $?"; }
serve
stop
[ "$(owner /var/lib/pumphouse/pumphouse.db)" = "pumphouse:pumphouse 600" ] || fail "no history"

echo "package: is removed and installed again" >&2
dpkg -r pumphouse-web
[ ! -e /usr/bin/pumphouse-web ] || fail "the program is still there"
[ -s "$configuration" ] && [ -s /var/lib/pumphouse/pumphouse.db ] || fail "the removal lost data"
chmod 700 /var/lib/pumphouse
dpkg -i /package.deb
[ "$(owner /var/lib/pumphouse)" = "pumphouse:pumphouse 700" ] || fail "the mode was changed"
serve
stop

echo "package: is purged" >&2
dpkg -P pumphouse-web
[ ! -e /etc/pumphouse ] && [ ! -e /var/lib/pumphouse ] || fail "the purge left data"
echo "package: all well" >&2
INSIDE

# shellcheck disable=SC2016
unshare --mount --pid --net --fork --kill-child --mount-proc="$root/proc" sh -c '
    if command -v ip >/dev/null; then ip link set lo up; fi
    exec chroot "$1" /bin/sh /inside.sh' sh "$root"
