#!/usr/bin/env bash
# Gets Prometheus and its promtool into var/prometheus out of Debian's package, without installing it (which would start a
# server): the tests check the rules and the dashboard of setup/watching/ with them. Only tests need it: where it cannot
# be had, they are skipped and say so. Programs that are installed are used as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

TREE=var/prometheus

# The tree gets its name only when it is whole.
fetch() {
    rm -rf "$TREE.fetching"
    mkdir -p "$TREE.fetching"
    (cd "$TREE.fetching" && { download || { update && download; }; } && unpack) &&
        "$TREE.fetching/promtool" --version &&
        "$TREE.fetching/prometheus" --version &&
        rm -rf "$TREE" &&
        mv "$TREE.fetching" "$TREE"
}

# promtool is a package of its own from Debian 13 on; before that it is in Prometheus'.
download() {
    local packages=(prometheus)
    if apt-cache show promtool >/dev/null 2>&1; then packages+=(promtool); fi
    apt-get -q download "${packages[@]}"
}

unpack() {
    local package
    for package in ./*.deb; do
        dpkg-deb --fsys-tarfile "$package" |
            tar --extract --strip-components=3 --wildcards './usr/bin/prom*' || return
        rm "$package"
    done
}

update() {
    if [ "$(id -u)" = 0 ]; then apt-get -q update; else sudo -n apt-get -q update; fi
}

if command -v promtool >/dev/null && command -v prometheus >/dev/null; then exit; fi
if [ -x "$TREE/promtool" ] && [ -x "$TREE/prometheus" ]; then exit; fi
trap 'rm -rf "$TREE.fetching"' EXIT
if ! command -v apt-get >/dev/null; then
    say "No apt here, and no promtool: the tests of setup/watching/ are skipped. Remedy: install Prometheus."
    exit
fi
patiently "Prometheus, for the tests" var/setup/prometheus.log fetch ||
    say "The tests that need it are skipped. Remedy: if the network is to blame, run the same command again."
