#!/bin/sh
# PID 1 of the guest: mounts, the modules that labs use, then the agent, which runs the command; at its end the machine is
# switched off. It is no service manager. What it says goes to the console, which the user sees only when the guest fails.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 shm /dev/shm
mount -t tmpfs -o nosuid,nodev,mode=755 run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
echo longhaul >/proc/sys/kernel/hostname
ip link set lo up
# tun makes /dev/net/tun; the others the kernel would load on first use, in the middle of somebody's measurement.
modprobe -a tun veth bridge sch_netem sch_tbf sch_codel sch_ingress cls_matchall act_gact
ulimit -Hn 524288
ulimit -Sn 1024
PYTHONPATH=/longhaul /usr/bin/python3 -S -P -m experiments.harness.vm.guest.agent
echo "longhaul: the agent ended with status $?"
echo o >/proc/sysrq-trigger
sleep 60
