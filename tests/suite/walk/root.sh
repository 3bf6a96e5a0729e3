# Makes a fresh root out of this machine's /usr: its own /etc, /srv, /usr/local, logs and run-time files, and a
# copy of the sources. Then runs the program that the arguments name.
#
#   sh root.sh FOLDER SOURCES PROGRAM…
set -e
folder=$1 sources=$2
shift 2
mount --make-rprivate /
mount -t tmpfs tmpfs "$folder"
ip link set lo up

cp -a /etc "$folder/etc"
mount --bind "$folder/etc" /etc
for fresh in /srv /usr/local /run /var/log; do mount -t tmpfs tmpfs "$fresh"; done
# As Debian's package of supervisord makes it.
mkdir -p /var/log/supervisor
rm -f /etc/supervisor/conf.d/*
if id pumphouse >/dev/null 2>&1; then userdel pumphouse; fi
printf '127.0.0.1 localhost api.open-meteo.com\n::1 localhost\n' >/etc/hosts
printf 'hosts: files\n' >>"$folder/nsswitch"
mount --bind "$folder/nsswitch" /etc/nsswitch.conf

mkdir "$folder/source"
tar -C "$sources" --exclude=./target --exclude=./.git --exclude=./benches/peers/target -cf - . |
    tar -C "$folder/source" -xf -
exec "$@"
