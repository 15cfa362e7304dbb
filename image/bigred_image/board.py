"""A board in QEMU that boots from the card alone, as the firmware of a Raspberry Pi does.

"virt" is fast and has a sound card; "raspi3b" reads the card through the chip's own controller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RASPI3B = "raspi3b"
VIRT = "virt"
MACHINES = (VIRT, RASPI3B)
# The offset of the first partition in bytes; genimage.cfg aligns it there.
BOOT_OFFSET = 1 << 20
# The recording of a board with a sound card.
SOUND = "sound.wav"
# QEMU takes the start of the chip's watchdog for its expiry, and resets the machine at once.
_NO_WATCHDOG = "systemd.watchdog_sec=0"
_MEMORY_MIB = 1024


@dataclass(frozen=True)
class Start:
    """What the firmware passes to the kernel: three files, and the command line."""

    kernel: Path
    initrd: Path
    tree: Path
    arguments: str


def config(text: str) -> Mapping[str, str]:
    """Parse a config.txt without conditions: "key=value" and "initramfs FILE ADDRESS"."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("initramfs "):
            found["initramfs"] = line.split()[1]
        elif "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key.strip()] = value.strip()
    return found


def copies(image: Path, names: Sequence[str], folder: Path) -> list[str | Path]:
    """Return the command that copies files from the first partition into a folder."""
    files = (f"::{name}" for name in names)
    return ["mcopy", "-n", "-o", "-i", f"{image}@@{BOOT_OFFSET}", *files, folder]


def command(machine: str, start: Start, image: Path, port: int) -> list[str | Path]:
    """Return QEMU's command line. The local `port` is forwarded to the box's sshd."""
    net = f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"
    console = ["-serial", "null"] if machine == RASPI3B else []
    return [
        *("qemu-system-aarch64", "-nographic", "-no-reboot", "-monitor", "none"),
        *("-kernel", start.kernel, "-initrd", start.initrd, "-netdev", net),
        *(_raspi3b(start, image) if machine == RASPI3B else _virt(start, image)),
        *(*console, "-serial", "stdio"),
    ]


def _raspi3b(start: Start, image: Path) -> list[str | Path]:
    return [
        *("-M", RASPI3B, "-dtb", start.tree, "-append", f"{start.arguments} {_NO_WATCHDOG}"),
        *("-drive", f"if=sd,format=raw,file={image}", "-device", "usb-net,netdev=net"),
    ]


def _virt(start: Start, image: Path) -> list[str | Path]:
    sound = f"wav,id=sound,path={image.parent / SOUND}"
    return [
        *("-M", "virt,gic-version=2", "-cpu", "cortex-a72", "-smp", "2", "-m", f"{_MEMORY_MIB}"),
        *("-accel", "tcg,thread=multi", "-append", f"{start.arguments} console=ttyAMA0"),
        *("-drive", f"if=none,id=card,format=raw,file={image}"),
        *("-device", "virtio-blk-pci,drive=card"),
        *("-device", "virtio-net-pci,netdev=net,romfile=", "-device", "qemu-xhci,id=xhci"),
        *("-audiodev", sound, "-device", "virtio-sound-pci,audiodev=sound"),
    ]
