"""The command line: `./bigred image`."""

import argparse
import hashlib
import os
import sys
from pathlib import Path

from bigred_image import apt, build
from bigred_image.errors import ImageError
from bigred_image.workshop import CHECKOUT

FOLDER = CHECKOUT / "build/image"
_MEBIBYTE = 1 << 20


def main() -> int:
    """Build the image; give the exit code."""
    given = _parser().parse_args()
    try:
        image = build.build(given.folder.resolve(), _mirrors(given))
    except ImageError as error:
        sys.stderr.write(f"bigred image: {error}\n")
        return 1
    size = image.stat().st_size
    with image.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    sys.stdout.write(f"{image}\n  {size / _MEBIBYTE:.0f} MiB, {size} bytes\n  SHA-256 {digest}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bigred image",
        description="Build the SD card of a box, for Raspberry Pi 3, 4, 5, Zero 2.",
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where it is built")
    parser.add_argument("--mirror", help="Debian's address, in place of the one in apt's sources")
    parser.add_argument("--security-mirror", help="the address of its security updates")
    return parser


def _mirrors(given: argparse.Namespace) -> apt.Mirrors:
    if given.mirror and given.security_mirror:
        return apt.Mirrors(given.mirror, given.security_mirror)
    own = apt.mirrors()
    return apt.Mirrors(given.mirror or own.debian, given.security_mirror or own.security)


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
