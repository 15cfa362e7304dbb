#!/bin/sh
# Runs a command inside the tool root. Called in a mount namespace of its own, as
#   enter.sh TOOL_ROOT [SOURCE:TARGET ...] -- COMMAND [ARGUMENT ...]
# pivot_root, not chroot: what runs inside has to make roots itself.
set -eu
root=$1
shift

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
touch "$root/etc/resolv.conf"
mount --bind "$(readlink -f /etc/resolv.conf)" "$root/etc/resolv.conf"
while [ "$1" != -- ]; do
  mkdir -p "$root${1##*:}"
  mount --bind "${1%:*}" "$root${1##*:}"
  shift
done
shift

# Programs for arm64 run here by emulation. The name is how mmdebstrap looks for the mount.
binfmt=$root/proc/sys/fs/binfmt_misc
mount -t binfmt_misc binfmt_misc "$binfmt"
if ! grep -qs '^magic 7f454c460201010000000000000000000200b7' "$binfmt"/*; then
  # F: the interpreter is opened now, so that it is found from inside any other root.
  printf '%s' ':bigred-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$root/usr/bin/qemu-aarch64:FPC" >"$binfmt/register"
fi

cd "$root"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
exec env -i HOME=/root PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 TMPDIR=/work \
  ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
  PYTHONDONTWRITEBYTECODE=1 "$@"
