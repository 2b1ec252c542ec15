#!/usr/bin/env bash
# A machine of its own, in namespaces of this one: a copy of its files that forgets what is written, a network that is only
# a loopback, and systemd as the first process. It ends with the process that started it. As root.
# Counterpart: machine.py
#
#   machine.sh ROOM CGROUP CLONE
#
# ROOM: an empty folder; CGROUP: a new control group (of version 2) for it; CLONE: the folder that is there to be read,
# wherever it lies.
set -euo pipefail
umask 022 # its root folder is for all users, as on any machine
if [ "${4:-}" != inside ]; then
    echo $$ >"$2/cgroup.procs"
    exec unshare --mount --pid --fork --kill-child --mount-proc --cgroup --uts --ipc --net -- "$0" "$1" "$2" "$3" inside
fi

mount --make-rprivate /
mount -t tmpfs machine "$1"
root=$1/root
mkdir "$1/written" "$1/work" "$root"
mount -t overlay machine -o "lowerdir=/,upperdir=$1/written,workdir=$1/work" "$root"
for place in run tmp; do mount -t tmpfs machine "$root/$place"; done
mkdir -p "$root$3"
mount --bind "$3" "$root$3"
mount -o remount,bind,ro "$root$3"
mount -t proc machine "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs machine "$root/sys/fs/cgroup"
mount -t cgroup2 machine "$root/sys/fs/cgroup"
ip link set lo up
cd "$root"
pivot_root . mnt
umount --lazy /mnt
# nothing of this machine's own is started
find /etc/systemd/system -name '*.wants' -prune -exec rm -r {} +
export container=gateway112-test
exec /lib/systemd/systemd --system --unit=basic.target --log-target=console --log-level=warning
