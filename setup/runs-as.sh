#!/usr/bin/env bash
# Looks whether a user can run what is in this clone: the Python behind .venv may lie in somebody's home folder. As root.
# Status 1 with the remedy where he cannot.
#
#   setup/runs-as.sh USER
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

user_id=$(id -u "$1") group_id=$(id -g "$1")
as_user() { setpriv --reuid="$user_id" --regid="$group_id" --clear-groups "$@"; } # without a session, which may take long

if said=$(as_user .venv/bin/gateway112 --version 2>&1); then exit; fi
python=$(readlink -f .venv/bin/python || true)
# which folder on the way is shut
for place in "$PWD" "$python"; do
    while ! as_user test -x "$place" && ! as_user test -x "${place%/*}/"; do
        place=${place%/*}
    done
    if ! as_user test -x "$place"; then
        why="$place is shut to that user ($(stat -c '%U, mode %04a' "$place"))"
        break
    fi
done
case $python/ in
"$PWD"/*) remedy="chmod -R o+rX $PWD" ;;
*)
    remedy="install the machine's own Python (apt install python3 python3-venv), then"
    remedy+=" rm -r .venv && PATH=/usr/sbin:/usr/bin:/sbin:/bin make setup"
    ;;
esac
fail "The user $1 cannot run this clone's Python, $python: ${why:-${said##*$'\n'}}. Remedy: $remedy"
