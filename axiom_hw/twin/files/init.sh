#!/bin/busybox sh
# The first process of the twin: loads what its root needs, mounts it, and starts the agent in it.
# /boot/root says which root: `host` is the host's own, read-only behind a layer in memory; `debian` is the disk.
busybox=/bin/busybox
PATH=

fail() {
	echo "axiom-twin: $*"
	$busybox poweroff -f
}

# The host's files at /$1, with so much of a cache.
host_files() {
	$busybox mkdir -p "/$1"
	$busybox mount -t 9p -o "ro,trans=virtio,version=9p2000.L,msize=512000,cache=$2" "$1" "/$1" ||
		fail "the host's files can't be mounted"
}

# $1 at $2, with a layer in memory that takes what is written.
over() {
	layer=/layer/$($busybox echo "$1" | $busybox tr / _)
	$busybox mkdir -p "$layer/files" "$layer/work"
	$busybox mount -t overlay -o "lowerdir=$1,upperdir=$layer/files,workdir=$layer/work" overlay "$2" ||
		fail "the layer over the host's files can't be mounted"
}

root=$($busybox cat /boot/root)
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sysfs /sys
$busybox mount -t devtmpfs devtmpfs /dev
$busybox mount -t tmpfs -o mode=755 tmpfs /run
for name in $($busybox cat "/modules/$root"); do
	$busybox insmod "/modules/$name.ko" || fail "the module $name can't be loaded"
done
$busybox mkdir -p /run/axiom-twin
$busybox mv /agent/* /run/axiom-twin/
$busybox mv /modules /run/axiom-twin/
$busybox cp $busybox /run/axiom-twin/

case $root in
host)
	# What was installed is kept in memory once it was read; what people edit is looked up each time.
	host_files files "$($busybox cat /boot/cache)"
	host_files installed loose
	$busybox mkdir -p /layer
	$busybox mount -t tmpfs tmpfs /layer
	over /files /root
	while read -r place; do
		over "/installed$place" "/root$place"
	done </boot/installed
	;;
debian)
	$busybox mount -t ext4 /dev/vda /root || fail "the disk can't be mounted"
	$busybox mkdir -p /run/systemd
	$busybox mv /run/axiom-twin/system /run/systemd/
	;;
esac
for place in proc sys dev run; do
	$busybox mount --move "/$place" "/root/$place" || fail "/$place is missing in the root"
done
if [ "$root" = debian ]; then
	exec $busybox switch_root /root /sbin/init
fi

cd /root || fail "there is no root"
$busybox mkdir -p dev/pts dev/shm
$busybox mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts dev/pts
$busybox mount -t tmpfs tmpfs dev/shm
$busybox mount -t debugfs debugfs sys/kernel/debug
$busybox mount -t cgroup2 cgroup2 sys/fs/cgroup
$busybox ln -sf /proc/self/fd dev/fd
$busybox ln -sf /proc/self/fd/0 dev/stdin
$busybox ln -sf /proc/self/fd/1 dev/stdout
$busybox ln -sf /proc/self/fd/2 dev/stderr
$busybox hostname axiom-twin
$busybox ifconfig lo 127.0.0.1 up
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
$busybox chroot /root "$($busybox cat /boot/python)" -I -S /run/axiom-twin/agent
$busybox sync
$busybox poweroff -f
