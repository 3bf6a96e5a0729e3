#!/bin/sh
# Installs or removes the program, for `make install` and `make uninstall`.
#
#   PROGRAM=FILE COPIED='MODE:SOURCE:DESTINATION …' LINKED='TARGET:DESTINATION …' \
#       PRINTED='ARGUMENTS:DESTINATION …' LIST=DESTINATION PREFIX=FOLDER DESTDIR=FOLDER install.sh install
#   LIST=DESTINATION PREFIX=FOLDER DESTDIR=FOLDER install.sh uninstall
#
# Destinations are relative to PREFIX; examples name the program by its path there. Slashes part the arguments with which PROGRAM prints a file. LIST names
# all files, and with a slash behind them the folders that were made. It is written before the first
# of them is made and removed after the last file, so an interrupted run can be repeated or undone.
#
# shellcheck disable=SC2153
set -eu
umask 022

fail() {
    echo "make: $*" >&2
    exit 1
}

# Prints a folder with its tilde expanded, which no shell does behind an option's equals sign, and without
# superfluous slashes; the root is empty.
folder() {
    # shellcheck disable=SC2088
    case $1 in
    "~" | "~/"*) printf '%s\n' "$HOME${1#"~"}" ;;
    *) printf '%s\n' "$1" ;;
    esac | sed -e 's|//*|/|g' -e 's|/$||'
}

stage=$(folder "$DESTDIR")
prefix=$(folder "$PREFIX")
case $prefix in
"" | /*) ;;
*)
    [ -z "$stage" ] || fail "PREFIX=$PREFIX must be absolute with DESTDIR"
    prefix=$PWD/$prefix
    ;;
esac
root=$stage$prefix
list=$root/$LIST

# Ending of files that are not complete.
new=.pumphouse-web-new

scratch=$(mktemp -d)
planned=$scratch/planned
incomplete=
: >"$planned"

# Removes what an interrupted run would leave.
clean_up() {
    [ -z "$incomplete" ] || rm -f "$incomplete"
    # Without a list, `make uninstall` would not find the folders.
    if [ ! -f "$list" ]; then remove_folders "$planned" 2>/dev/null; fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Prints the files and folders of a list, the deepest first, and nothing outside of PREFIX.
listed() {
    grep -v -e '^/' -e '^$' -e '\.\.' "$1" | LC_ALL=C sort -ur
}

# Removes the folders of a list that are empty.
remove_folders() {
    listed "$1" | grep '/$' | while read -r path; do
        [ ! -d "$root/$path" ] || rmdir --ignore-fail-on-non-empty "$root/$path" || true
    done
}

# Notes a file, and the folders that do not exist yet.
plan() {
    echo "$1" >>"$planned"
    above=$(dirname "$1")
    while [ "$above" != . ] && ! [ -d "$root/$above" ]; do
        echo "$above/" >>"$planned"
        above=$(dirname "$above")
    done
}

# Makes the folder of a file: DESTINATION
make_folder() {
    above=$root/$(dirname "$1")
    { mkdir -p "$above" && [ -w "$above" ]; } ||
        fail "cannot write to $above: run \`sudo make install\`, or give a folder of your own:" \
            "\`make install PREFIX=~/.local\`"
}

# Copies a file in one step: MODE SOURCE DESTINATION
place() {
    make_folder "$3"
    incomplete=$root/$3$new
    install -m "$1" "$2" "$incomplete"
    mv -fT "$incomplete" "$root/$3"
    incomplete=
}

# Makes a symbolic link in one step: TARGET DESTINATION
link() {
    make_folder "$2"
    incomplete=$root/$2$new
    ln -sfn "$1" "$incomplete"
    mv -fT "$incomplete" "$root/$2"
    incomplete=
}

# Prints an example with the path at which the program is installed.
adapted() {
    bin=$(printf '%s\n' "$prefix/bin/" | sed -e 's/[|&\\]/\\&/g')
    sed -e "s|/usr/local/bin/|$bin|g" "$1"
}

install_all() {
    [ -x "$PROGRAM" ] || fail "$PROGRAM does not exist: run \`make build\` first, without sudo"
    if ! "$PROGRAM" --version >/dev/null 2>&1; then
        echo "make: $PROGRAM does not run on this machine, so its man page and completions are left out;" \
            "print them on its own: pumphouse-web man" >&2
        PRINTED=
    fi

    plan "$LIST"
    plan bin/pumphouse-web
    for entry in $COPIED $LINKED $PRINTED; do plan "${entry##*:}"; done
    # The folders of an earlier installation are still its own.
    if [ -f "$list" ]; then listed "$list" >"$scratch/old"; else : >"$scratch/old"; fi
    grep '/$' "$scratch/old" >>"$planned" || true
    LC_ALL=C sort -u "$planned" "$scratch/old" >"$scratch/all"
    LC_ALL=C sort -u -o "$planned" "$planned"

    place 644 "$scratch/all" "$LIST"
    place 755 "$PROGRAM" bin/pumphouse-web
    for entry in $COPIED; do
        mode=${entry%%:*} source=${entry#*:}
        source=${source%:*}
        case $source in
        examples/*.conf | examples/systemd/*)
            adapted "$source" >"$scratch/adapted"
            source=$scratch/adapted
            ;;
        esac
        place "$mode" "$source" "${entry##*:}"
    done
    for entry in $LINKED; do link "${entry%%:*}" "${entry##*:}"; done
    for entry in $PRINTED; do
        # shellcheck disable=SC2046
        "$PROGRAM" $(echo "${entry%%:*}" | tr / ' ') >"$scratch/printed"
        place 644 "$scratch/printed" "${entry##*:}"
    done
    # Files that only the earlier installation had.
    grep -v '/$' "$scratch/old" | grep -vxF -f "$planned" | while read -r path; do
        rm -f "$root/$path"
    done
    place 644 "$planned" "$LIST"

    echo "installed in $root: $("$PROGRAM" --version 2>/dev/null || echo pumphouse-web)," \
        "built $(date -r "$PROGRAM" '+%Y-%m-%d %H:%M')"
    newer=$(newer_source)
    [ -z "$newer" ] ||
        echo "make: warning: $newer is newer than $PROGRAM: run \`make build\`, without sudo, and install" \
            "again" >&2
    [ -z "$stage" ] || return 0
    case ":$PATH:" in
    *":$prefix/bin:"* | *":$prefix/bin/:"*) ;;
    *) echo "$prefix/bin is not in PATH; add it: export PATH=\"$prefix/bin:\$PATH\"" ;;
    esac
    echo "next: pumphouse-web init"
}

# Prints a source that has changed since the build. Cargo lists those of the program, with spaces escaped.
newer_source() {
    [ -f "$PROGRAM.d" ] || return 0
    # shellcheck disable=SC2016
    sed 's/^.*pumphouse-web: *//' "$PROGRAM.d" |
        xargs -r sh -c 'find "$@" -maxdepth 0 -newer "$0" -print -quit' "$PROGRAM" 2>/dev/null |
        head -n 1
}

uninstall_all() {
    [ -f "$list" ] || fail "$list is missing: nothing is installed there; name its PREFIX"
    known=$scratch/known
    listed "$list" >"$known" || true
    grep -v '/$' "$known" | while read -r path; do
        [ "$path" = "$LIST" ] || rm -f "$root/$path" "$root/$path$new" || exit 1
    done || fail "cannot remove all of $root/: run \`sudo make uninstall\`"
    # All but those that the list is in.
    remove_folders "$known"
    rm -f "$list" "$list$new"
    remove_folders "$known"
    if [ -n "$stage" ]; then
        [ -z "$prefix" ] || (cd "$stage" && rmdir -p --ignore-fail-on-non-empty "${prefix#/}")
        return 0
    fi
    echo "removed pumphouse-web from $root; configurations and data are left in their folders," \
        "such as /srv/pumphouse"
}

case $1 in
install) install_all ;;
uninstall) uninstall_all ;;
esac
