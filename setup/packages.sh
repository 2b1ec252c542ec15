#!/usr/bin/env bash
# Installs the system packages that are missing, by apt: Debian 12 and 13, Ubuntu 24.04. A machine that has them all
# needs neither root nor a network.
#
#   setup/packages.sh         what a centre needs
#   setup/packages.sh test    also what only the tests need: the PostgreSQL server's programs, a clock that can be set,
#                             and what looks at shell scripts
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

main() {
    local missing=()
    mapfile -t missing < <(missing_packages "${1:-}")
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null ||
        fail "This machine has no apt, so the set-up cannot install packages here." \
            "It needs what Debian calls: ${missing[*]}"
    become_root "${missing[@]}"
    say "System packages: ${missing[*]}"
    patiently "Installing ${#missing[@]} system package(s)" var/setup/packages.log install "${missing[@]}" ||
        fail "Remedy: mend what apt says above, then run the same command again."
}

missing_packages() {
    local wanted=(ca-certificates espeak-ng ffmpeg sip-tester) package
    if ! setup/asterisk.sh ready; then wanted+=(mmdebstrap debian-archive-keyring); fi
    if ! .venv/bin/python -c '' 2>/dev/null; then mapfile -t -O "${#wanted[@]}" wanted < <(python_packages); fi
    for package in "${wanted[@]}"; do
        if ! is_installed "$package"; then printf '%s\n' "$package"; fi
    done
    if [ "$1" = test ] && ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then
        printf '%s\n' postgresql
    fi
    if [ "$1" = test ] && ! is_installed faketime; then printf '%s\n' faketime; fi
    if [ "$1" = test ] && ! command -v shellcheck >/dev/null; then printf '%s\n' shellcheck; fi
}

python_packages() {
    local python
    if ! python=$(setup/python.sh); then
        printf '%s\n' python3 python3-venv
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        printf '%s-venv\n' "$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')"
    fi
}

is_installed() {
    [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Sets AS_ROOT, the words that go before a command which needs root; ends the script where there is no way to get it.
become_root() {
    if [ "$(id -u)" = 0 ]; then
        AS_ROOT=()
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        AS_ROOT=(sudo -n)
    elif command -v sudo >/dev/null && [ -t 0 ] && say "System packages are missing ($*)." && sudo -v; then
        AS_ROOT=(sudo -n)
    else
        fail "These system packages are missing, and this user may not install them:" "" \
            "$(printf '    %s\n' "$@")" "" \
            "Ask an administrator to run:" "" \
            "    apt-get update && apt-get install --no-install-recommends $*" "" \
            "Then run the same command again; it needs no root any more."
    fi
}

# The package lists may be empty or old, so a first failure is answered by one `apt-get update`.
install() {
    apt_install "$@" && return
    apt update && apt_install "$@"
}

apt_install() {
    local package
    for package in "$@"; do
        if [ "$package" = postgresql ]; then install_postgresql "$@" && return; return 1; fi
    done
    apt install --yes --no-install-recommends "$@"
}

# Debian's package makes a database cluster on port 5432 and starts it. The tests start a server of their own on a private
# socket and need the programs only: for the time of the installation, Debian is told to make no cluster.
install_postgresql() {
    local folder=/etc/postgresql-common/createcluster.d server status=0
    server=$(LC_ALL=C apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: \(postgresql-[0-9]*\)$/\1/p')
    [ -n "$server" ] || return 1
    "${AS_ROOT[@]}" mkdir -p "$folder"
    printf 'create_main_cluster = false\n' | "${AS_ROOT[@]}" tee "$folder/gateway112.conf" >/dev/null
    apt install --yes --no-install-recommends "${@/#%postgresql/$server}" || status=$?
    "${AS_ROOT[@]}" rm "$folder/gateway112.conf"
    return "$status"
}

apt() {
    "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
        apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

main "$@"
