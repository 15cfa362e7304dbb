"""Git's post-receive: ours goes beside what is there, or in front of it."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from bigred_server.hook import messenger
from bigred_server.hook.dispatcher import our_part
from bigred_server.hook.owner import make_folder, owner_of
from bigred_server.hook.repository import RepositoryHook

# The stable part of the comment, by which later versions recognize their own hook.
WRITTEN_BY = "Written by `bigred hook install`."
COMMENT = f"# Bigred's hook: submits every push. {WRITTEN_BY}"
# Where earlier versions of Bigred kept what was there.
_BESIDE = "before-bigred"
_MODE = 0o755
# Paths are relative to the hook: forges move and rename repositories.
_TEXT = """#!/bin/sh
{comment}
here=$(dirname "$0")
refs=$(cat)
{earlier}printf '%s\\n' "$refs" | exec {python} -I -S {messenger} "$here"/{config}
"""
_EARLIER = """if [ -x "$here"/{path} ]; then
    printf '%s\\n' "$refs" | "$here"/{path} "$@"
else
    echo "bigred: the repository's earlier hook is gone: $here/"{path} >&2
fi
"""


def is_ours(hook: Path) -> bool:
    """Return whether Bigred has written a hook."""
    return hook.is_file() and WRITTEN_BY in hook.read_text(encoding="utf-8", errors="replace")


def ours(place: RepositoryHook) -> Iterator[Path]:
    """List the files in which the hook is installed."""
    return filter(is_ours, (place.post_receive, place.part, place.suffixed, place.custom))


def install(place: RepositoryHook, python: str) -> tuple[Path, str]:
    """Install the hook; return its file, and what became of the one that was there.

    `python` runs it. Raise OSError on failure.
    """
    make_folder(place.hooks)
    _restore_old_layout(place)
    target, done = _make_room(place)
    make_folder(target.parent)
    owner_of(target.parent).write(target, _text(place, target, python), _MODE)
    for stale in ours(place):
        if stale != target:
            stale.unlink()
    return target, done


def uninstall(place: RepositoryHook) -> str:
    """Remove the hook, and put back what was there; return what was done, "" if nothing.

    Raise OSError on failure.
    """
    removed = list(ours(place))
    _restore_old_layout(place)
    is_free = is_ours(place.post_receive) or not _exists(place.post_receive)
    kept = place.earlier if _exists(place.earlier) else None
    if kept and is_free:
        back = place.hooks / f".{place.post_receive.name}-back"
        _name_also(kept, back)
        back.replace(place.post_receive)
        kept.unlink()
    for each in ours(place):
        each.unlink()
    if kept and not is_free:
        return f"{place.post_receive} has been replaced since; the one before it stays in {kept}"
    if kept:
        _remove_links(kept.parent)
        return f"the previous hook is back in {place.post_receive}"
    return f"removed {', '.join(map(str, removed))}" if removed else ""


def _make_room(place: RepositoryHook) -> tuple[Path, str]:
    """Return the file for our hook, after moving away what was there if that is the only way."""
    hook = place.post_receive
    if place.is_gitlabs:
        return place.custom, "; GitLab runs it"
    if not _exists(hook) or is_ours(hook):
        if _exists(place.earlier):
            _link_siblings(place)
        return hook, ""
    if part := our_part(place):
        return part, f"; {hook} stays as it is and runs it, as a try has shown"
    make_folder(place.earlier.parent)
    if _exists(place.earlier):
        place.earlier.rename(_unused(place.earlier))
    # It keeps its old name until ours takes that: no push finds neither.
    _name_also(hook, place.earlier)
    _link_siblings(place)
    return hook, f"; the previous hook was moved to {place.earlier} and still runs first"


def _name_also(old: Path, new: Path) -> None:
    """Give a file, or a link, a second name in another folder."""
    if old.is_symlink():
        aim = old.readlink()
        new.symlink_to(aim if aim.is_absolute() else os.path.relpath(old.parent / aim, new.parent))
    else:
        new.hardlink_to(old)


def _link_siblings(place: RepositoryHook) -> None:
    """Let the moved hook find its neighbours where it looks for them: beside itself."""
    for sibling in place.hooks.iterdir():
        link = place.earlier.with_name(sibling.name)
        if not _exists(link) and not sibling.name.endswith(".sample"):
            link.symlink_to(os.path.relpath(sibling, link.parent))


def _remove_links(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_symlink():
            each.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _restore_old_layout(place: RepositoryHook) -> None:
    beside = place.hooks / f"{place.post_receive.name}.{_BESIDE}"
    if _exists(beside) and is_ours(place.post_receive):
        beside.replace(place.post_receive)


def _text(place: RepositoryHook, target: Path, python: str) -> str:
    def beside(path: Path) -> str:
        return shlex.quote(os.path.relpath(path, target.parent))

    called = target == place.post_receive and os.access(place.earlier, os.X_OK)
    return _TEXT.format(
        comment=COMMENT,
        earlier=_EARLIER.format(path=beside(place.earlier)) if called else "",
        python=shlex.quote(python),
        messenger=shlex.quote(messenger.__file__),
        config=beside(place.config),
    )


def _unused(path: Path) -> Path:
    number = 1
    while _exists(new := path.with_name(f"{path.name}.{number}")):
        number += 1
    return new


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()
