#!/bin/sh
# Runs before the listed packages are installed: defers what is slow under emulation until the end.
set -eu
root=$1
unset TMPDIR # it is the tool root's, and does not exist in the new root

for program in update-initramfs depmod update-ca-certificates; do
  chroot "$root" dpkg-divert --quiet --local --rename --divert "/usr/sbin/$program.real" \
    --add "/usr/sbin/$program"
  printf '#!/bin/sh\nexit 0\n' >"$root/usr/sbin/$program"
  chmod +x "$root/usr/sbin/$program"
done
