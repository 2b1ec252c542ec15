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
    (cd "$TREE.fetching" && { apt-get -q download prometheus || { update && apt-get -q download prometheus; }; }) &&
        dpkg-deb --fsys-tarfile "$TREE.fetching"/prometheus_*.deb |
        tar --extract --directory "$TREE.fetching" --strip-components=3 ./usr/bin/promtool ./usr/bin/prometheus &&
        rm "$TREE.fetching"/prometheus_*.deb &&
        "$TREE.fetching/promtool" --version &&
        "$TREE.fetching/prometheus" --version &&
        rm -rf "$TREE" &&
        mv "$TREE.fetching" "$TREE"
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
