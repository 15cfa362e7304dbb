"""The card: a FAT partition for the firmware, the root, and a partition for persistent data."""

import datetime
import shutil
from pathlib import Path

from bigred_image import dates
from bigred_image.errors import ImageError
from bigred_image.paths import CHECKOUT, IMAGE_FOLDER
from bigred_image.progress import say
from bigred_image.tools import WORK
from bigred_image.workspace import Workspace

NAME = "bigred.img"
_COMPRESSION_LEVEL = "9"
# The firmware's own files; its others are for cameras and for debugging it.
_FIRMWARE = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
# The configuration that people fill in.
_CONFIGURATION = CHECKOUT / "agent/bigred_agent/card/bigred.toml"
_TREES = "bcm2[78]*.dtb"


def make(workspace: Workspace, base: Path, root: Path, date: int) -> Path:
    """Build the image and return its path. `base` has the kernel, `root` is the root of a box."""
    say("packing the root")
    squash = workspace.work / "images"
    squash.mkdir()
    workspace.tools.run(
        "mksquashfs", WORK / root.name, WORK / "images/root.squashfs", "-noappend", "-no-progress",
        "-comp", "zstd", "-Xcompression-level", _COMPRESSION_LEVEL, "-mkfs-time", str(date),
    )  # fmt: skip
    say("laying out the card")
    tree = workspace.work / "tree"
    _fill_boot(tree / "boot", base)
    # systemd stores the time there: a Raspberry Pi has no clock of its own.
    (tree / "data/clock").mkdir(parents=True)
    dates.set_back(tree, date, newer_than=date)
    text = datetime.datetime.fromtimestamp(date, datetime.UTC).strftime("%Y%m%d%H%M%S")
    config = (IMAGE_FOLDER / "genimage.cfg").read_text().replace("@DATE_TEXT@", text)
    (workspace.work / "genimage.cfg").write_text(config)
    workspace.tools.run(
        "env", f"SOURCE_DATE_EPOCH={date}", "genimage", f"--config={WORK}/genimage.cfg",
        f"--rootpath={WORK}/tree", f"--tmppath={WORK}/genimage", f"--inputpath={WORK}/images",
        f"--outputpath={WORK}/images",
    )  # fmt: skip
    image = workspace.folder / NAME
    (squash / NAME).replace(image)
    return image


def _fill_boot(folder: Path, base: Path) -> None:
    folder.mkdir(parents=True)
    firmware = base / "usr/lib/raspi-firmware"
    kernel = _only(base / "boot", "vmlinuz-*")
    version = kernel.name.removeprefix("vmlinuz-")
    trees = sorted((base / f"usr/lib/linux-image-{version}/broadcom").glob(_TREES))
    copies = {
        **{name: firmware / name for name in _FIRMWARE},
        **{tree.name: tree for tree in trees},
        **{path.name: path for path in sorted((IMAGE_FOLDER / "boot").iterdir())},
        _CONFIGURATION.name: _CONFIGURATION,
        "vmlinuz": kernel,
        "initrd.img": base / f"boot/initrd.img-{version}",
    }
    for name, source in copies.items():
        shutil.copyfile(source, folder / name)


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ImageError(f"{folder} has {len(found)} files named {pattern}; expected one")
    return found[0]
