#!/bin/sh
# `gateway112` on a machine where the centre is services of systemd: with their settings and as their user, whoever of
# the two that may calls it, root or that user itself. setup/systemd.sh puts it into /usr/local/bin.
set -eu
if [ "$(id -u)" = 0 ]; then
    # by these names, as systemd sets them, PostgreSQL knows who comes
    exec setpriv --reuid=gateway112 --regid=gateway112 --init-groups \
        env HOME=/var/lib/gateway112 USER=gateway112 LOGNAME=gateway112 "$0" "$@"
fi
GATEWAY112_CONFIG=${GATEWAY112_CONFIG:-/etc/gateway112/gateway.toml}
export GATEWAY112_CONFIG
exec /srv/gateway112/.venv/bin/gateway112 "$@"
