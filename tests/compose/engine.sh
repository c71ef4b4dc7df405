#!/bin/sh
# A container engine of its own, as root: `engine.sh FOLDER GROUP`. It runs until its input ends, which
# happens even when its owner is killed, and leaves nothing behind.
#
# It has namespaces of its own for network, mounts and processes: its bridges, packet filter rules and
# published ports meet nobody else's, and all of it, containers included, ends with its first process.
# There is no way out of its network, so no image can be pulled by mistake.
trap '' HUP INT TERM
folder=$1
group=$2
cgroup=${folder##*/}

exec 3<&0
unshare --mount --net --pid --fork --kill-child --mount-proc sh -c '
    ip link set lo up
    # Debian keeps them where ordinary users do not look.
    PATH=$PATH:/usr/sbin:/sbin dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/dockerd.pid" \
        --host "unix://$1/socket" --group "$2" --config-file "$1/daemon.json" \
        --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$3" >"$1/dockerd.log" 2>&1 </dev/null 3<&- &
    cat >/dev/null
' sh "$folder" "$group" "$cgroup" <&3 &
# Who wants to reach a published port enters the network of this process.
echo $! >"$folder/namespaces"
wait $!

rm -rf -- "$folder"
find /sys/fs/cgroup -depth -type d -path "*/$cgroup*" -exec rmdir {} + 2>/dev/null
exit 0
