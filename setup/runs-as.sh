#!/usr/bin/env bash
# Looks whether a user can run what is in this clone: the Python behind .venv may lie in somebody's home folder. As root.
# Status 1 with the remedy where he cannot.
#
#   setup/runs-as.sh USER
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

if said=$(runuser -u "$1" -- .venv/bin/gateway112 --version 2>&1); then exit; fi
python=$(readlink -f .venv/bin/python || true)
# which folder on the way is shut
for place in "$PWD" "$python"; do
    while ! runuser -u "$1" -- test -x "$place" && ! runuser -u "$1" -- test -x "${place%/*}/"; do
        place=${place%/*}
    done
    if ! runuser -u "$1" -- test -x "$place"; then
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
