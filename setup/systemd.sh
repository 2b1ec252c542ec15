#!/usr/bin/env bash
# The centre as two services of systemd, from this clone: Asterisk, and the gateway. As root, on a machine that
# `make setup` has made ready. Run again, as by a newer clone, it changes nothing but the units and the command.
# Counterpart: setup/systemd/, whose files are written for a clone in /srv/gateway112.
#
#   setup/systemd.sh           user, folders, settings, units and the command gateway112; starts nothing
#   setup/systemd.sh FOLDER    only writes units and command there, for whoever wants to look at them
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh
umask 022 # the services' user has to come to its settings, whatever root keeps to himself otherwise

USER_NAME=gateway112
HOME_DIR=/var/lib/gateway112
SETTINGS=/etc/gateway112/gateway.toml
COMMANDS=/usr/local/bin

case $PWD in
*[!A-Za-z0-9._/+@-]*) fail "Units and command cannot name $PWD: it has a blank or a sign in it." \
    "Remedy: put this clone into /srv/gateway112." ;;
esac

write_units() { # write_units FOLDER
    local unit
    for unit in setup/systemd/*.service; do
        sed "s|/srv/gateway112/|$PWD/|g" "$unit" >"$1/${unit##*/}"
    done
}

write_command() { # write_command FOLDER
    sed "s|/srv/gateway112/|$PWD/|g" setup/systemd/gateway112.sh >"$1/.gateway112"
    chmod 0755 "$1/.gateway112"
    mv "$1/.gateway112" "$1/gateway112" # in one step: cron may be about to run it
}

write_settings() {
    if [ -e "$SETTINGS" ]; then return; fi
    mkdir -p "${SETTINGS%/*}"
    sed -e "s|^# var = .*|var = \"$HOME_DIR/var\"|" -e "s|^# recordings = .*|recordings = \"$HOME_DIR/recordings\"|" \
        gateway.toml >"$SETTINGS"
    # passwords may stand there
    chown "root:$USER_NAME" "$SETTINGS"
    chmod 0640 "$SETTINGS"
}

if [ -n "${1:-}" ]; then
    mkdir -p "$1"
    write_units "$1"
    write_command "$1"
    exit
fi

[ "$(id -u)" = 0 ] || fail "This writes to /etc and makes a user. Remedy: run it as root."
case $PWD/ in
/home/* | /root/*) fail "The services see no home folder. Remedy: put this clone into /srv/gateway112." ;;
esac
[ -x .venv/bin/gateway112 ] || fail "This clone is not ready. Remedy: make setup"
if ! id "$USER_NAME" >/dev/null 2>&1; then
    useradd --system --user-group --home-dir "$HOME_DIR" --shell /usr/sbin/nologin "$USER_NAME"
fi
if grep -Eqs '^[[:space:]]*[A-Za-z_][A-Za-z0-9_]*=' /etc/gateway112/environment; then
    fail "/etc/gateway112/environment is read no more, and sets something." \
        "Remedy: write what it sets into $SETTINGS, and remove it."
fi
setup/runs-as.sh "$USER_NAME"
install -d -o "$USER_NAME" -g "$USER_NAME" -m 0750 "$HOME_DIR"
write_settings
write_units /etc/systemd/system
mkdir -p "$COMMANDS"
write_command "$COMMANDS"
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
say "Settings: $SETTINGS. Then: systemctl enable --now gateway112-asterisk gateway112"
