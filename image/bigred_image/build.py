"""The whole build, from nothing to an image."""

import fcntl
import os
import shutil
from pathlib import Path

from bigred_image import apt, card, layer, places, programs, root, workspace
from bigred_image.errors import ImageError
from bigred_image.progress import say

NOT_ROOT = "an image can be built by root only: it makes device files and mounts; call it by sudo"
TAKEN = "another build is at work in {folder}; wait for it, or give another --folder"


def build(folder: Path, mirrors: apt.Mirrors) -> Path:
    """Build the image in a folder and give its path. Raises ImageError."""
    if os.geteuid() != 0:
        raise ImageError(NOT_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ImageError(TAKEN.format(folder=folder)) from error
        return _build(folder, mirrors)


def _build(folder: Path, mirrors: apt.Mirrors) -> Path:
    date = _date()
    shop = workspace.prepare(folder, mirrors)
    base = root.make(shop)
    say("adding the agent")
    full = layer.add(shop, base, date)
    image = card.make(shop, base, full, date)
    shutil.rmtree(shop.work)
    return image


def _date() -> int:
    """Return the date of the image: that of the commit, or SOURCE_DATE_EPOCH if it is set."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    if programs.answer(["git", "status", "--porcelain"], places.CHECKOUT):
        say("the checkout has changes that are in no commit; nobody else can build the same image")
    return int(programs.answer(["git", "log", "-1", "--format=%ct"], places.CHECKOUT))
