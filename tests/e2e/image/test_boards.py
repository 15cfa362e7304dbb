"""For boards that can't be emulated: the card has a driver for every device that a box needs.

The devices of a board are in its device tree, and those behind PCI and SDIO are listed here; the
drivers of the kernel on the card are known from the aliases of its modules and of built-in ones.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from bigred_image import board, modules
from bigred_image.card import NAME
from bigred_image.tools import WORK, Tools

pytestmark = pytest.mark.timeout(300)

_SECTOR = 512
_TABLE, _ENTRY, _ROOT = 446, 16, 1
_MODULES = "usr/lib/modules"
_RP1 = "pci:v00001DE4d00000001sv*"
_XHCI = "pci:v00001106d00003483sv00001106sd00003483bc0Csc03i30"  # VIA VL805
_WIFI = "sdio:c*v02D0dA9A6*"  # BCM43430; the other boards have similar ones
ALIKE = ("raspberrypi,bcm2835-firmware", "brcm,bcm2835-mbox", "brcm,bcm2835-pm-wdt")

# By board: the devices its device tree must have, and those on a bus behind them.
NEEDED = {
    "bcm2711-rpi-4-b": (
        (
            *ALIKE,
            "brcm,bcm2711-emmc2",  # the card
            "brcm,bcm2711-pcie",  # leads to its USB
            "brcm,bcm2711-gpio",
            "brcm,bcm2711-genet-v5",  # wired network
            "brcm,bcm2835-sdhci",  # leads to its Wi-Fi
            "brcm,bcm2711-cprman",
            "brcm,bcm2711-rng200",
        ),
        (_XHCI, _WIFI),
    ),
    "bcm2712-rpi-5-b": (
        (
            "raspberrypi,bcm2835-firmware",
            "brcm,bcm2835-pm-wdt",
            "brcm,bcm2712-sdhci",
            "brcm,bcm2712-pcie",  # leads to RP1 and through it to all connectors
            "brcm,bcm2712-mip",  # its interrupts
            "raspberrypi,rp1-clocks",
            "raspberrypi,rp1-gpio",
            "raspberrypi,rp1-gem",
            "snps,dwc3",  # USB
            "brcm,bcm2711-rng200",
        ),
        (_RP1, _WIFI),
    ),
    "bcm2837-rpi-zero-2-w": (
        (*ALIKE, "brcm,bcm2835-sdhost", "brcm,bcm2835-usb", "brcm,bcm2835-gpio"),
        (_WIFI,),
    ),
    "bcm2837-rpi-3-b": (
        (*ALIKE, "brcm,bcm2835-sdhost", "brcm,bcm2835-usb", "brcm,bcm2835-gpio"),
        (_WIFI,),
    ),
}


@dataclass(frozen=True)
class Card:
    """The unpacked card: its device trees, and the devices its kernel has drivers for."""

    trees: Path
    aliases: tuple[tuple[str, str], ...]
    files: frozenset[str]

    def drives(self, device: str) -> bool:
        """Return whether a built-in driver or a module on the card is for this device."""
        return any(
            (fnmatchcase(device, alias) or fnmatchcase(alias, device))
            and (module == "" or module in self.files)
            for alias, module in self.aliases
        )


@pytest.fixture(scope="module")
def opened(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    folder = tmp_path_factory.mktemp("boards")
    tools = Tools(built / "tools", folder, folder / "tools.log")
    with (built / NAME).open("rb") as image:
        table = image.read(_SECTOR)
        first, count = struct.unpack_from("<II", table, _TABLE + _ENTRY * _ROOT + 8)
        image.seek(first * _SECTOR)
        (folder / "root.squashfs").write_bytes(image.read(count * _SECTOR))
        image.seek(board.BOOT_OFFSET)
        (folder / "boot.vfat").write_bytes(image.read(first * _SECTOR - board.BOOT_OFFSET))
    tools.run("unsquashfs", "-q", "-n", "-d", WORK / "root", WORK / "root.squashfs", _MODULES)
    names = [f"::{name}.dtb" for name in NEEDED]
    tools.run("mcopy", "-n", "-i", WORK / "boot.vfat", *names, WORK)
    (kernel,) = (folder / "root" / _MODULES).iterdir()
    lines = (kernel / "modules.alias").read_text().splitlines()
    found = [line.split() for line in lines if line.startswith("alias ")]
    built_in = (kernel / "modules.builtin.modinfo").read_bytes().decode(errors="replace")
    inside = [one.partition("alias=")[2] for one in built_in.split("\0") if ".alias=" in one]
    yield Card(
        folder,
        (*((alias, module) for _, alias, module in found), *((alias, "") for alias in inside)),
        frozenset(modules.name_of(str(file)) for file in kernel.rglob("*.ko*")),
    )
    for file in ("root.squashfs", "boot.vfat"):
        (folder / file).unlink()


@pytest.mark.parametrize("name", NEEDED)
def test_every_device_that_a_box_needs_has_a_driver_on_the_card(opened: Card, name: str) -> None:
    devices, behind = NEEDED[name]
    tree = (opened.trees / f"{name}.dtb").read_bytes()
    assert [one for one in devices if one.encode() + b"\0" not in tree] == []
    assert [one for one in devices if not opened.drives(f"of:N*T*C{one}")] == []
    assert [one for one in behind if not opened.drives(one)] == []


def test_an_unknown_device_has_no_driver(opened: Card) -> None:
    assert not opened.drives("of:N*T*Cbrcm,bcm9999-usb")
    assert not opened.drives("pci:v00009999d00009999sv*")
