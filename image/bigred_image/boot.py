"""Boots a copy of a built image in QEMU, so that the image itself is never changed."""

import base64
import os
import shutil
import sys
from pathlib import Path

from bigred_image import board
from bigred_image.card import NAME
from bigred_image.errors import ImageError
from bigred_image.tools import WORK, Tools

_TREE = "bcm2837-rpi-3-b.dtb"
NO_IMAGE = "there is no {image} yet; build it with `./bigred image`"


def prepared(folder: Path, machine: str, port: int, key: Path | None) -> list[str | Path]:
    """Copy the image and return the command that boots it, its console on standard output.

    The owner of the public `key` may log in as root at `port`, by a credential on the kernel's
    command line: the image itself has no keys.
    """
    image = folder / NAME
    if not image.exists():
        raise ImageError(NO_IMAGE.format(image=image))
    work = folder / f"boot-{machine}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    tools = Tools(folder / "tools", work, folder / f"boot-{machine}.log")
    card = work / NAME
    shutil.copyfile(image, card)
    # QEMU's card reader requires a power of two.
    os.truncate(card, 1 << (card.stat().st_size - 1).bit_length())
    inside = WORK / NAME
    tools.run(*board.copies(inside, ["config.txt", "cmdline.txt", _TREE], WORK))
    config = board.config((work / "config.txt").read_text())
    kernel, initrd = config["kernel"], config["initramfs"]
    tools.run(*board.copies(inside, [kernel, initrd], WORK))
    arguments = (work / "cmdline.txt").read_text().strip()
    if key is not None:
        encoded = base64.b64encode(key.read_bytes()).decode()
        arguments += f" systemd.set_credential_binary=ssh.authorized_keys.root:{encoded}"
    start = board.Start(WORK / kernel, WORK / initrd, WORK / _TREE, arguments)
    return tools.entered(board.command(machine, start, inside, port))


def boot(folder: Path, machine: str, port: int, key: Path | None) -> None:
    """Replace this process with QEMU, until the box is switched off or interrupted."""
    command = [str(word) for word in prepared(folder, machine, port, key)]
    sys.stdout.flush()
    os.execvp(command[0], command)
