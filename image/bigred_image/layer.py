"""Adds our settings, the agent and its user to Debian's root."""

import os
import shutil
import time
from pathlib import Path

from bigred_image import agent, dates, programs
from bigred_image.paths import IMAGE_FOLDER
from bigred_image.progress import say
from bigred_image.tools import WORK
from bigred_image.workspace import Workspace

_NAME = "root"
# The files that any machine with a button needs, and their targets.
_PLACES = {
    "sysusers/bigred-agent.conf": "usr/lib/sysusers.d/bigred-agent.conf",
    "udev/70-bigred-button.rules": "etc/udev/rules.d/70-bigred-button.rules",
    "systemd/bigred-agent.service": "etc/systemd/system/bigred-agent.service",
}
# The files that boot a board are on the first partition.
_ELSEWHERE = (
    "boot/*",
    "initrd.img*",
    "vmlinuz*",
    "usr/lib/linux-image-*",
    "usr/lib/modules/*/dtb",
    "usr/lib/modules/*/vmlinuz",
    "usr/lib/raspi-firmware",
)
# Files whose date matters. A box without a clock starts at the date of the first, so that no
# certificate is from its future; the others tell systemd that nothing needs an update.
_MARKS = ("usr/lib/clock-epoch", "etc/.updated", "var/.updated")
# Proves that the agent's libraries are present and built for the boards' processor.
_PROOF = "import bigred_agent.build, gpiod, gpiozero, pyttsx3, usb.core"
_SITE = f"/{agent.VENV}/lib"


def add(workspace: Workspace, base: Path, date: int) -> Path:
    """Return the complete root of the image: a copy of `base` with our files, all dates set."""
    root = workspace.work / _NAME
    programs.run(["cp", "--archive", "--reflink=auto", base, root], workspace.log)
    for pattern in _ELSEWHERE:
        for path in root.glob(pattern):
            _delete(path)
    (root / "boot/firmware").mkdir()
    _lay(IMAGE_FOLDER / "root", root)
    for source, place in _PLACES.items():
        _copy(IMAGE_FOLDER / source, root / place)
    agent.install(workspace, root, date)
    inside = WORK / _NAME
    compiled = ("--invalidation-mode=unchecked-hash", "-s", str(inside), "-p", "/")
    workspace.tools.run("python3", "-m", "compileall", "-q", *compiled, f"{inside}{_SITE}")
    workspace.tools.run("env", f"SOURCE_DATE_EPOCH={date}", "systemd-sysusers", f"--root={inside}")
    say("starting the agent once under emulation")
    workspace.tools.emulate("chroot", inside, f"/{agent.VENV}/bin/python3", "-c", _PROOF)
    for leftover in root.glob("etc/*-"):
        leftover.unlink()
    newest = max(date, dates.newest(base, int(time.time())))
    marks = [root / name for name in _MARKS]
    for mark in marks:
        mark.touch()
    date_changes(root, base, date)
    for mark in marks:
        os.utime(mark, (newest, newest))
    return root


def date_changes(root: Path, base: Path, date: int) -> None:
    """Set the date of everything that differs from the root it was copied from, even in time.

    Otherwise libraries have the time of their download, our own files that of the checkout.
    """
    for path in (root, *root.rglob("*")):
        before = base / path.relative_to(root)
        is_same = os.path.lexists(before) and (
            before.lstat().st_mtime_ns == path.lstat().st_mtime_ns
        )
        if not is_same:
            os.utime(path, (date, date), follow_symlinks=False)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _lay(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_symlink() or path.is_file():
            _copy(path, target / path.relative_to(source))


def _copy(source: Path, target: Path) -> None:
    """Copy a file for root, with the same mode whatever the builder's umask."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
    else:
        shutil.copyfile(source, target)
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
