#!/usr/bin/env bash
# Sees to it that there is an Asterisk 20 or newer: the installed one, else Asterisk 22 from Debian's testing suite,
# extracted (not installed) into var/asterisk-tree, from where it runs as any user.
# Counterpart: gateway/asterisk/installation.py, which finds and starts it.
#
#   setup/asterisk.sh          gets it where it is missing
#   setup/asterisk.sh ready    only says by its status whether it is there
#
# Environment: SETUP_DEBIAN_MIRROR, the mirror to fetch from (default: mmdebstrap's own choice).
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

OLDEST=20
SUITE=forky
TREE=var/asterisk-tree
FRESH=$TREE.fetching
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

is_installed() {
    local version
    version=$(PATH="$PATH:/usr/local/sbin:/usr/sbin" asterisk -V 2>/dev/null) || return 1
    [[ $version =~ ^Asterisk\ (certified[/-])?([0-9]+) ]] && ((BASH_REMATCH[2] >= OLDEST))
}

# The tree gets its name only when it is whole.
is_fetched() { [ -x "$TREE/usr/sbin/asterisk" ]; }

# For an ordinary user chrootless mode needs no user namespaces, and leaves files that belong to whoever ran it. mmdebstrap
# advises root against that mode, and root has no need of it.
# Debian's testing mirrors may serve a Release file past its date; its signature is checked all the same.
fetch() {
    local mode=chrootless
    if [ "$(id -u)" = 0 ]; then mode=root; fi
    mmdebstrap --mode="$mode" --variant=extract --format=directory --keyring="$KEYRING" \
        --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=asterisk,asterisk-core-sounds-en-gsm \
        "$SUITE" "$FRESH" ${SETUP_DEBIAN_MIRROR:+"$SETUP_DEBIAN_MIRROR"}
}

# Read by `patiently`.
progress() {
    local size
    size=$(du -sm "$FRESH" 2>/dev/null | cut -f 1) || true
    printf '%s MB' "${size:-0}"
}

if is_installed || is_fetched; then exit; fi
if [ "${1:-}" = ready ]; then exit 1; fi

command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing. Remedy: setup/packages.sh"
rm -rf "$FRESH"
trap 'rm -rf "$FRESH"' EXIT
if ! patiently "Asterisk 22 from Debian $SUITE" var/setup/asterisk.log fetch; then
    fail "Remedy: if the mirror cannot be reached, name another one in SETUP_DEBIAN_MIRROR, or install the" \
        "package asterisk ($OLDEST or newer) by hand; then run the same command again."
fi
unset -f progress
mv "$FRESH" "$TREE"
