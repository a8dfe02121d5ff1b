#!/bin/bash
# Process 1 of the namespaces: this machine's files with a layer in memory over them, then systemd.
# $1 is the directory of the test (units, script, out), the rest are directories that have mounts of their own, to be seen too.
set -e
test=$1
shift
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
root=/mnt/root
mount -t proc proc $root/proc
mount --rbind /sys $root/sys
mount --rbind /dev $root/dev
mount -t tmpfs tmpfs $root/run
mount -t tmpfs tmpfs $root/tmp
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
for seen in "$@"; do mkdir -p "$root$seen"; mount --rbind "$seen" "$root$seen"; done
mkdir $root/tmp/out
mount --bind "$test/out" $root/tmp/out

# Nothing of this machine's services starts but the journal: no generators, no presets, nothing that targets want.
rm -rf $root/etc/systemd/system $root/usr/lib/systemd/system-generators $root/usr/lib/systemd/system/*.target.wants
rm -rf $root/var/lib/axiom_hw $root/var/lib/private $root/var/cache/axiom_hw $root/var/cache/private
mkdir -p $root/etc/systemd/system $root/opt/axiom-test
echo 0123456789abcdef0123456789abcdef > $root/etc/machine-id
cp "$test"/units/* $root/etc/systemd/system/
cp "$test"/apps/* $root/opt/axiom-test/
chmod -R a+rX $root/opt/axiom-test
export container=axiom-test
exec chroot $root /lib/systemd/systemd --system --unit=test.target --log-target=null --show-status=no
