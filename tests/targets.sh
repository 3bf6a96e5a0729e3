#!/usr/bin/env bash
# Runs every make target that README names, in a short form, by the command that a user types.
# `make lint` and `make test` are absent, since CI runs them in full. Only the fuzz targets and the
# screens use the profile of the tests, since a release build of them takes longer than all the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

step() {
    echo "targets: $*" >&2
    local begun=$SECONDS
    "$@" >"$folder/output" 2>&1 || {
        local status=$?
        cat "$folder/output" >&2
        echo "targets: failed with $status: $*" >&2
        exit 1
    }
    echo "targets: $((SECONDS - begun)) s" >&2
}

# Serves the demo until it responds, then stops it as Ctrl-C does.
run() {
    local address=127.0.0.1:${RUN_PORT:-16443}
    setsid make run RUN="--listen $address --admin-listen 127.0.0.1:0" &
    local group=$!
    for _ in $(seq 600); do
        if curl -skf --max-time 5 "https://$address/ping"; then
            kill -INT -- "-$group"
            wait "$group" || true
            if curl -sk --max-time 5 "https://$address/ping"; then
                echo "the demo still responds after it was stopped" >&2
                return 1
            fi
            return 0
        fi
        kill -0 "$group" || return 1
        sleep 0.1
    done
    kill -KILL -- "-$group"
    echo "the demo did not respond at https://$address/ping" >&2
    return 1
}

# Runs the cluster until its page is served without one replica, then stops it.
cluster() {
    local port=${CLUSTER_PORT:-26500}
    CLUSTER_PORT=$port setsid make cluster &
    local group=$!
    for _ in $(seq 600); do
        kill -0 "$group" || return 1
        if curl -sf --max-time 5 "http://127.0.0.1:$port/ping" && target/cluster/fault kill b; then
            sleep 2
            curl -sf --max-time 5 "http://127.0.0.1:$port/api/v1/status" | grep '"tank_north_1"'
            local served=$?
            kill -TERM -- "-$group"
            wait "$group" || true
            return "$served"
        fi
        sleep 0.1
    done
    kill -TERM -- "-$group"
    echo "the cluster did not respond at http://127.0.0.1:$port/ping" >&2
    return 1
}

contents() {
    dpkg-deb --contents "$1" | awk '$1 !~ /^d/ { print $6 }' | sort
}

# Makes the package by `cargo deb` alone. It lacks what the program prints, and nothing else.
plain_package() {
    contents "${CARGO_TARGET_DIR:-target}"/debian/pumphouse-web_*.deb >"$folder/complete" || return 1
    # This empties the folder of packages.
    target/tools/bin/cargo-deb --no-build --output "$folder/plain.deb" || return 1
    contents "$folder/plain.deb" >"$folder/plain" || return 1
    diff "$folder/plain" "$folder/complete" | grep '^[<>]' >"$folder/difference"
    cat "$folder/difference"
    test "$(wc -l <"$folder/difference")" = 4 || return 1
    grep -v -e '^> ./usr/share/man/man1/' -e '^> ./usr/share/bash-completion/completions/' \
        -e '^> ./usr/share/zsh/vendor-completions/' -e '^> ./usr/share/fish/vendor_completions.d/' \
        "$folder/difference" && return 1
    dpkg-deb --control "$folder/plain.deb" "$folder/control"
    test -x "$folder/control/postinst" -a -x "$folder/control/prerm" -a -x "$folder/control/postrm"
}

step make help
step make build
step make install DESTDIR="$folder/root"
step "$folder/root/usr/local/bin/pumphouse-web" --help
step make uninstall DESTDIR="$folder/root"
step make package
step plain_package
step make package-test
step run
step cluster
step make cluster-test PROFILE=dev CLUSTER=without_faults
step make incident
step make attack \
    ATTACK="--connections 600 --seconds 5 --scenario-seconds 4 --history-interval 300 --untimed"
step make soak SOAK="--seconds 20 --connections 100"
step make screens SCREENS="fresh 404"
step make fuzz PROFILE=dev FUZZ_SECONDS=1
step make bench \
    BENCH="--rounds 1 --seconds 0.1 --idle 100 --fleet-sources 60 --fleet-seconds 2" \
    YEARS="--years 1 --series 2 --untimed" \
    REPLICAS="--days 31 --sources 60 --seconds 2"
