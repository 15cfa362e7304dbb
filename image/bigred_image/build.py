"""The whole build, from nothing to an image."""

import fcntl
import os
import shutil
from pathlib import Path

from bigred_image import apt, card, layer, paths, programs, root, workspace
from bigred_image.errors import ImageError
from bigred_image.progress import say

NOT_ROOT = "only root can build an image, which needs device files and mounts; use sudo"
BUSY = "another build is running in {folder}; wait for it, or choose another --folder"


def build(folder: Path, mirrors: apt.Mirrors) -> Path:
    """Build the image in a folder and return its path. Raises ImageError."""
    if os.geteuid() != 0:
        raise ImageError(NOT_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ImageError(BUSY.format(folder=folder)) from error
        return _build(folder, mirrors)


def _build(folder: Path, mirrors: apt.Mirrors) -> Path:
    date = _date()
    space = workspace.prepare(folder, mirrors)
    base = root.make(space)
    say("adding the agent")
    full = layer.add(space, base, date)
    image = card.make(space, base, full, date)
    shutil.rmtree(space.work)
    return image


def _date() -> int:
    """Return the date of the image: that of the commit, or SOURCE_DATE_EPOCH if it is set."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    if programs.answer(["git", "status", "--porcelain"], paths.CHECKOUT):
        say("the checkout has uncommitted changes; nobody else can build the same image")
    return int(programs.answer(["git", "log", "-1", "--format=%ct"], paths.CHECKOUT))
