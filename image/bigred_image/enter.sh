#!/bin/sh
# Runs a command inside the tool root. Call it in a new mount namespace, as
#   enter.sh [--arm64] TOOL_ROOT [SOURCE:TARGET ...] -- COMMAND [ARGUMENT ...]
# pivot_root, not chroot: the commands inside create roots themselves.
set -eu
arm64=
[ "$1" != --arm64 ] || { arm64=yes; shift; }
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

binfmt=proc/sys/fs/binfmt_misc
name=bigred-$$
if [ "$arm64" ]; then
  # mmdebstrap looks for the mount by this source name.
  mount -t binfmt_misc binfmt_misc "$root/$binfmt"
  # F: the interpreter is opened now, so that it works inside any other root.
  printf '%s' ":$name:M::"'\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$root/usr/bin/qemu-aarch64:FPC" \
    >"$root/$binfmt/register"
fi

cd "$root"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
set -- env -i HOME=/root PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 TMPDIR=/work \
  ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
  PYTHONDONTWRITEBYTECODE=1 "$@"
[ "$arm64" ] || exec "$@"

# The handler for arm64 programs is global to the machine, so it must be removed again.
trap 'echo -1 >/$binfmt/$name' EXIT
trap 'exit 1' HUP INT TERM
"$@"
