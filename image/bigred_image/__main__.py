"""The command line: `./bigred image`."""

import argparse
import hashlib
import os
import sys
from pathlib import Path

from bigred_image import apt, board, boot, build
from bigred_image.errors import ImageError
from bigred_image.paths import CHECKOUT

FOLDER = CHECKOUT / "build/image"
_MEBIBYTE = 1 << 20


def main() -> int:
    """Build the image or boot it; return the exit code."""
    given = _parser().parse_args()
    folder = given.folder.resolve()
    try:
        if given.verb == "boot":
            boot.boot(folder, given.machine, given.port, given.key)
        _report(build.build(folder, _mirrors(given)))
    except ImageError as error:
        sys.stderr.write(f"bigred image: {error}\n")
        return 1
    return 0


def _report(image: Path) -> None:
    size = image.stat().st_size
    with image.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    sys.stdout.write(f"{image}\n  {size / _MEBIBYTE:.0f} MiB, {size} bytes\n  SHA-256 {digest}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bigred image",
        description="Build the SD card of a box, for Raspberry Pi 3, 4, 5 and Zero 2.",
    )
    parser.add_argument("verb", nargs="?", choices=["build", "boot"], default="build")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the build folder")
    building = parser.add_argument_group("build")
    building.add_argument("--mirror", help="Debian's address, by default the one in apt's sources")
    building.add_argument("--security-mirror", help="the address of Debian's security updates")
    booting = parser.add_argument_group("boot", "boot the built image in QEMU")
    booting.add_argument("--machine", choices=board.MACHINES, default=board.VIRT)
    booting.add_argument("--port", type=int, default=2222, help="a local port, forwarded to sshd")
    booting.add_argument("--key", type=Path, help="a public key whose owner may log in as root")
    return parser


def _mirrors(given: argparse.Namespace) -> apt.Mirrors:
    if given.mirror and given.security_mirror:
        return apt.Mirrors(given.mirror, given.security_mirror)
    own = apt.mirrors()
    return apt.Mirrors(given.mirror or own.debian, given.security_mirror or own.security)


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
