"""Prunes a root's kernel modules to those a box needs, and lists those needed at boot."""

import sys
from pathlib import Path

from bigred_image import modules

# Debian installs the device trees next to the kernel; these are the boards of this image.
TREES = "bcm2[78]*.dtb"


def main(root: Path, kernel: str, wanted: Path) -> None:
    """Prune the modules of `kernel` in `root` to those of the list `wanted`."""
    folder = root / "usr/lib/modules" / kernel
    found = modules.dependencies((folder / "modules.dep").read_text())
    trees = sorted((root / f"usr/lib/linux-image-{kernel}/broadcom").glob(TREES))
    names = modules.asked_for(trees, (folder / "modules.alias").read_text())
    unwanted = set(found) - modules.selected(modules.patterns(wanted.read_text()), names, found)
    for module in unwanted:
        (folder / module).unlink()
    at_boot = modules.at_boot(names, found)
    (root / "etc/initramfs-tools/board-modules").write_text(
        "".join(f"{name}\n" for name in at_boot)
    )
    sys.stdout.write(
        f"{len(unwanted)} of {len(found)} modules left out; {len(at_boot)} in the initrd for "
        f"{len(trees)} boards\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
