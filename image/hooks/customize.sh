#!/bin/sh
# Runs after the listed packages are installed: kernel modules, initrd, services, and the removal of
# everything that differs from one build to the next.
set -eu
root=$1
# There is no /work inside the new root.
unset TMPDIR
image=$(dirname -- "$(dirname -- "$0")")
# The root, and every file created here, gets the date of the newest file in any package.
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

# Only a key allows to log in.
chroot "$root" usermod --lock root
chroot "$root" systemctl --quiet enable systemd-networkd systemd-resolved systemd-timesyncd iwd \
  avahi-daemon ssh
chroot "$root" systemctl --quiet disable ssh.socket systemd-networkd-wait-online getty@tty1 \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap
chroot "$root" systemctl --quiet mask serial-getty@.service getty.target

# mmdebstrap itself deletes the package lists and apt's log. The mirror is the builder's own.
rm -rf "$root"/etc/ssh/ssh_host_*_key* "$root"/var/lib/dbus/machine-id "$root"/var/log/* \
  "$root"/var/cache/ldconfig/* "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old \
  "$root"/etc/*- "$root"/boot/firmware/* "$root"/etc/apt/sources.list \
  "$root"/etc/apt/sources.list.d/*
mkdir -p "$root/boot/firmware" "$root/data"
