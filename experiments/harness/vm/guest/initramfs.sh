#!/bin/busybox sh
# The first program of the guest, alone in its initramfs: it loads the drivers of the disks, mounts the image, unpacks the
# checkout and the job onto it, and hands over to init.sh of that checkout. It runs no command of the user's.
fail() {
    /bin/busybox echo "longhaul: could not $1 in the guest"
    /bin/busybox poweroff -f
}
/bin/busybox mount -t proc proc /proc || fail "mount /proc"
/bin/busybox mount -t sysfs sys /sys || fail "mount /sys"
/bin/busybox mount -t devtmpfs dev /dev || fail "mount /dev"
while read -r module; do
    /bin/busybox insmod "/modules/$module" || fail "load $module"
done </modules/order
/bin/busybox mount -t ext4 -o noinit_itable /dev/vda /new || fail "mount the image"
/bin/busybox tar -x -f /dev/vdb -C /new || fail "unpack the checkout"
for name in proc sys dev; do
    /bin/busybox mount -o move "/$name" "/new/$name" || fail "move /$name"
done
exec /bin/busybox switch_root /new /bin/sh /longhaul/experiments/harness/vm/guest/init.sh
