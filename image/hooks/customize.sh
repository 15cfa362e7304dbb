#!/bin/sh
# After the packages of the list are installed: kernel modules, initrd, services, and nothing left
# that differs from one build to the next.
set -eu
root=$1
# What runs inside has no /work.
unset TMPDIR
image=$(dirname -- "$(dirname -- "$0")")
# The date of the newest file of all packages is the date of the root, and of what is made here.
SOURCE_DATE_EPOCH=$(PYTHONPATH=$image python3 -m bigred_image.dates "$root" "$BUILD_STARTED")
export SOURCE_DATE_EPOCH

for program in update-initramfs depmod update-ca-certificates; do
  rm "$root/usr/sbin/$program"
  chroot "$root" dpkg-divert --quiet --local --rename --remove "/usr/sbin/$program"
done
chroot "$root" update-ca-certificates

kernel=$(cd "$root/usr/lib/modules" && echo *)
echo "kernel $kernel: modules"
depmod --basedir "$root" "$kernel"
PYTHONPATH=$image python3 -m bigred_image.kernel "$root" "$kernel" "$image/modules.list"
depmod --basedir "$root" "$kernel"

cp -r "$image/initramfs/." "$root/etc/initramfs-tools/"
echo "kernel $kernel: initrd"
rm -f "$root"/boot/initrd.img-*
chroot "$root" update-initramfs -c -k "$kernel"

# Nobody can log in but with a key.
chroot "$root" usermod --lock root
chroot "$root" systemctl --quiet enable systemd-networkd systemd-resolved systemd-timesyncd iwd \
  avahi-daemon ssh
chroot "$root" systemctl --quiet disable ssh.socket systemd-networkd-wait-online getty@tty1 \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap
chroot "$root" systemctl --quiet mask serial-getty@.service getty.target

# The packages' lists and the log of apt are mmdebstrap's to delete. The mirror is the builder's own.
rm -rf "$root"/etc/ssh/ssh_host_*_key* "$root"/var/lib/dbus/machine-id "$root"/var/log/* \
  "$root"/var/cache/ldconfig/* "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old \
  "$root"/etc/*- "$root"/boot/firmware/* "$root"/etc/apt/sources.list \
  "$root"/etc/apt/sources.list.d/*
mkdir -p "$root/boot/firmware" "$root/data"
