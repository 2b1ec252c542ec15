#!/usr/bin/env bash
# Looks whether a user can run what is in this clone as a service: the Python behind .venv may lie in somebody's home
# folder. As root. Status 1 with the remedy where he cannot.
#
#   setup/runs-as.sh USER
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

OWN_PYTHON="install the machine's own Python (apt install python3 python3-venv), then rm -r .venv && \
PATH=/usr/sbin:/usr/bin:/sbin:/bin make setup"

clone=$(pwd -P) python=$(readlink -m .venv/bin/python)

# Whether both units let the services see more, by a drop-in of the site's own (systemctl edit).
shows_more() {
    local unit
    for unit in gateway112 gateway112-asterisk; do
        grep -qsE '^(ProtectHome|Bind(ReadOnly)?Paths)=' /etc/systemd/system/$unit.service.d/*.conf || return 1
    done
}

# what the units hide (ProtectHome), however open it is
for hidden in /home /root /run/user; do
    if shows_more; then break; fi
    for place in "$clone" "$(readlink -m .venv)" "$python"; do
        if [[ $place/ != "$hidden"/* && $place/ != "$(readlink -m "$hidden")"/* ]]; then continue; fi
        why="The services see nothing that lies in $hidden (ProtectHome), and $place does."
        if [ "$place" = "$clone" ]; then fail "$why Remedy: put this clone into /srv/gateway112, and make setup there"; fi
        fail "$why Remedy: $OWN_PYTHON"
    done
done

user_id=$(id -u "$1") group_id=$(id -g "$1")
# Without a session, which may take long. By env, for what setpriv itself starts it starts with root's rights.
as_user() { setpriv --reuid="$user_id" --regid="$group_id" --clear-groups env "$@"; }

if said=$(as_user .venv/bin/gateway112 --version 2>&1); then exit; fi
# which folder on the way is shut. What the centre keeps in the clone's var/ and recordings/ stays shut to others
remedy=$OWN_PYTHON
for place in "$clone" "$clone/gateway" "$clone/.venv/bin" "$python"; do
    while [ -n "$place" ] && ! as_user test -x "$place" && ! as_user test -x "${place%/*}/"; do
        place=${place%/*}
    done
    if [ -n "$place" ] && ! as_user test -x "$place"; then
        why="$place is shut to that user ($(stat -c '%U, mode %04a' "$place" 2>/dev/null || echo 'it is not there'))"
        if [[ $clone == "$place"/* ]]; then
            remedy="chmod o+x $place"
        elif [[ $place/ == "$clone"/* ]]; then
            remedy="cd $clone && chmod o+rx . var && chmod -R o+rX .venv gateway setup dialplan asterisk-config var/prompts var/music"
            if [ -e var/asterisk-tree ]; then remedy+=" var/asterisk-tree"; fi
        fi
        break
    fi
done
fail "The user $1 cannot run this clone's Python, $python: ${why:-${said##*$'\n'}}. Remedy: $remedy"
