"""Mercurial's changegroup hook: one line in the repository's hgrc, and Mercurial's own word for it.

Mercurial runs no hook of an hgrc that neither the pusher nor a trusted user owns, and says so only
to the pusher. So the file keeps its owner, and Mercurial is asked before and after.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from bigred_server.errors import BuildError
from bigred_server.hook import hgrc, messenger
from bigred_server.hook.owner import mode_of, owner_of
from bigred_server.hook.repository import RepositoryHook

_MODE = 0o644
_DEADLINE_S = 20.0
_OURS = f"hooks.{hgrc.KEY}"


@dataclass(frozen=True)
class SeenHooks:
    """The names of the hooks that Mercurial would run, and what it says about the others."""

    names: frozenset[str]
    complaints: str


def install(place: RepositoryHook, comment: str) -> str:
    """Add our line; return a remark, "" if all is well. Raise BuildError or OSError on failure."""
    value = f"python:{messenger.__file__}:changegroup"
    return _change(place, lambda text: hgrc.with_hook(text, comment, value), {_OURS})


def uninstall(place: RepositoryHook, comment: str) -> str:
    """Remove our line; return what was done, "" if nothing. Raise BuildError or OSError."""
    if not place.hgrc.exists() or not hgrc.has_hook(_text(place)):
        return ""
    _change(place, lambda text: hgrc.without_hook(text, comment), set())
    return f"removed from {place.hgrc}"


def _text(place: RepositoryHook) -> str:
    return place.hgrc.read_bytes().decode("utf-8", "surrogateescape")


def _change(place: RepositoryHook, change: Callable[[str], str], wanted: set[str]) -> str:
    """Rewrite the hgrc; put it back if Mercurial then lacks a hook that it had, or a wanted one."""
    file = place.hgrc
    if file.is_symlink():
        raise BuildError(
            f"{file} is a link to {file.resolve()}, which may belong to other repositories too: "
            f"replace it with a file of its own that says: %include {file.resolve()}"
        )
    is_there = file.exists()
    old = _text(place) if is_there else ""
    owner, mode = (owner_of(file), mode_of(file)) if is_there else (owner_of(place.inner), _MODE)
    before, new = _seen(place), change(old)
    if new:
        owner.write(file, new, mode)
    else:
        file.unlink()
    after = _seen(place)
    if before is None or after is None:
        return "; hg can't be run here to check that"
    missing = sorted((before.names - {_OURS} | wanted) - after.names)
    if not missing:
        return ""
    if is_there:
        owner.write(file, old, mode)
    else:
        file.unlink()
    raise BuildError(
        f"Mercurial would not run {', '.join(missing)} for {owner_of(place.inner).name}, so "
        f"{file} is as it was before: {after.complaints or 'hg config hooks does not list it'}"
    )


def _seen(place: RepositoryHook) -> SeenHooks | None:
    """Ask Mercurial, as the owner of the repository, for its hooks; None if it can't be run."""
    argv = ("hg", "config", "hooks")
    try:
        done = owner_of(place.inner).run(argv, place.inner.parent, _DEADLINE_S, {"HGPLAIN": "1"})
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = (line.partition("=")[0] for line in done.stdout.splitlines())
    complaints = dict.fromkeys(done.stderr.splitlines())
    return SeenHooks(frozenset(names), "; ".join(complaints))
