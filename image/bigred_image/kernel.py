"""Leaves in a root the kernel modules a box needs, and names those its boards need at boot."""

import sys
from pathlib import Path

from bigred_image import modules

# Debian installs the device trees beside the kernel; these are the boards of this image.
TREES = "bcm2[78]*.dtb"


def main(root: Path, kernel: str, wanted: Path) -> None:
    """Prune the modules of `kernel` in `root` to those of the list `wanted`."""
    folder = root / "usr/lib/modules" / kernel
    count = modules.prune(folder, modules.patterns(wanted.read_text()))
    trees = sorted((root / f"usr/lib/linux-image-{kernel}/broadcom").glob(TREES))
    needed = modules.board_modules(folder, trees)
    (root / "etc/initramfs-tools/board-modules").write_text("".join(f"{name}\n" for name in needed))
    sys.stdout.write(f"{count} modules left out, {len(needed)} for the boards in the initrd\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
