"""A root of Debian 13 with one package, for programs that are newer there than on this machine."""

import shutil
import subprocess
from pathlib import Path

from bigred_broker.program import find_program
from bigred_image.apt import mirrors

SUITE = "trixie"
_MADE_S = 900.0
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def make_root(folder: Path, package: str) -> Path:
    """Return a root with a package in `folder`, made now or by an earlier run. Needs root."""
    root = folder / "root"
    if root.is_dir():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "new"
    shutil.rmtree(made, ignore_errors=True)
    source = f"deb [signed-by={_KEYS}] {mirrors().debian} {SUITE} main"
    mmdebstrap = find_program("mmdebstrap", "mmdebstrap")
    subprocess.run(
        [
            *(mmdebstrap, "--mode=root", "--variant=minbase", "--format=directory"),
            *(f"--include={package}", SUITE, made, source),
        ],
        check=True,
        capture_output=True,
        timeout=_MADE_S,
    )
    made.rename(root)
    return root


def command(root: Path, program: str, folder: Path) -> Path:
    """Write a command to `folder` that runs a program of a root outside of it; return its path.

    The process has the program's name, although the root's loader starts it.
    """
    name = Path(program).name
    (folder / "loader").mkdir()
    loader = folder / "loader" / name
    shutil.copy(next((root / "usr/lib").glob("*-linux-gnu*/ld-linux-*.so.*")), loader)
    libraries = ":".join(str(one) for one in (root / "usr/lib").glob("*-linux-gnu*"))
    path = folder / name
    path.write_text(f'#!/bin/sh\nexec {loader} --library-path {libraries} {root}{program} "$@"\n')
    path.chmod(0o755)
    return path
