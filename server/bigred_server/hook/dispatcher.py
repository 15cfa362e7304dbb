"""Whether a post-receive runs the files of a folder, as a forge's does, and so has room for ours.

What it does is tried, never only read: a copy of it runs in an empty repository, without a push.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from bigred_server.hook.owner import owner_of
from bigred_server.hook.repository import POST_RECEIVE, RepositoryHook

_LIMIT_S = 5.0
# Only a script that seems to do it is tried: others would do whatever they do at a push.
_SEEMS_TO = re.compile(
    r"""(?:post-receive|\$\w+|%s|[\])}"'`])\.d(?![\w.])   # its name and .d, in any language
      | (?:post-receive|\$0|\$\{0\})["']?\.\*            # its name and any ending
    """,
    re.VERBOSE,
)
_PROBE = "#!/bin/sh\ncat >/dev/null\n: >{seen}\n"


def our_part(place: RepositoryHook) -> Path | None:
    """Return the file that the repository's post-receive would run as one of its parts, if any.

    Raise OSError if it can't be tried.
    """
    hook = place.post_receive
    if not os.access(hook, os.X_OK) or not _seems_to_dispatch(place):
        return None
    with tempfile.TemporaryDirectory(prefix="bigred-try-", dir=place.inner) as name:
        return _tried(place, Path(name))


def _seems_to_dispatch(place: RepositoryHook) -> bool:
    text = place.post_receive.read_text(encoding="utf-8", errors="replace")
    # One that names this repository would run its real parts.
    named = str(place.inner) in text or str(place.hooks) in text
    return text.startswith("#!") and not named and _SEEMS_TO.search(text) is not None


def _tried(place: RepositoryHook, folder: Path) -> Path | None:
    """Run a copy of the hook in an empty repository with both kinds of parts."""
    hooks = folder / "hooks"
    parts = {place.part: folder / "part", place.suffixed: folder / "suffixed"}
    for each in (hooks, hooks / place.part.parent.name, folder / "objects", folder / "refs"):
        each.mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    hook = hooks / POST_RECEIVE
    if place.post_receive.is_symlink():
        # Some look at where they really are.
        hook.symlink_to(place.post_receive.resolve())
    else:
        shutil.copy(place.post_receive, hook)
    for part, seen in parts.items():
        probe = hooks / part.relative_to(place.hooks)
        probe.write_text(_PROBE.format(seen=shlex.quote(str(seen))), encoding="ascii")
        probe.chmod(0o755)
    # Never as root what somebody else may have written.
    owner = max(owner_of(place.post_receive), owner_of(place.inner), key=lambda one: one.uid)
    if os.geteuid() == 0:
        for each in (folder, *folder.rglob("*")):
            os.chown(each, owner.uid, owner.gid, follow_symlinks=False)
    try:
        owner.run((f"hooks/{POST_RECEIVE}",), folder, _LIMIT_S, {"GIT_DIR": "."})
    except (OSError, subprocess.TimeoutExpired):
        return None
    return next((part for part, seen in parts.items() if seen.exists()), None)
