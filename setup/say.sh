# How the set-up speaks: short lines, one live line for a long step. Sourced by the other scripts of this folder.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }

# fail LINE…: says what is wrong and what to do about it, and ends the script.
fail() {
    [ ! -t 1 ] || printf '\r\033[K' # away with a live line
    printf '%s\n' "$@" >&2
    exit 1
}

# patiently LABEL LOG COMMAND…: runs COMMAND with its output in LOG, and says how long it has been at it: in one live
# line on a terminal, else a plain line now and then. A function named `progress`, where the caller has one, adds what it
# prints (such as "131 MB"). Returns the command's status; a failure shows the end of the log.
patiently() {
    local label=$1 log=$2 started=$SECONDS child status=0 said=0 spent
    shift 2
    mkdir -p "${log%/*}"
    set -m # a process group of its own, so that Ctrl-C can end all of it
    "$@" >"$log" 2>&1 </dev/null &
    child=$!
    set +m
    trap 'kill -- "-$child" 2>/dev/null || true; wait "$child" || true; exit 130' INT TERM HUP
    [ -t 1 ] || say "$label …"
    while kill -0 "$child" 2>/dev/null; do
        spent=$((SECONDS - started))
        if [ -t 1 ]; then
            printf '\r\033[K%s … %d s%s' "$label" "$spent" "$(_detail)"
        elif ((spent >= said + 15)); then
            said=$spent
            say "$label … $spent s$(_detail)"
        fi
        sleep 0.5
    done
    wait "$child" || status=$?
    trap - INT TERM HUP
    [ ! -t 1 ] || printf '\r\033[K'
    if ((status == 0)); then
        say "$label: done in $((SECONDS - started)) s$(_detail)"
    else
        say "$label: failed. Its last lines:"
        tail -n 15 "$log" | sed 's/^/    /'
        say "All of it: $log"
    fi
    return "$status"
}

_detail() {
    if declare -F progress >/dev/null; then printf ', %s' "$(progress)"; fi
}
