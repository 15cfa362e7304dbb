"""Install the hook in a local repository, and remove it: a guest in somebody else's place.

What belongs to the repository keeps its name, its owner and its mode, and goes on as before.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from bigred_server.errors import BuildError
from bigred_server.hook import changegroup, messenger, post_receive
from bigred_server.hook.owner import FileOwner, make_folder, mode_of, owner_of
from bigred_server.hook.repository import RepositoryHook, check_own_hooks
from bigred_server.settings.build import Vcs

_CONFIG_MODE = 0o644
_DEADLINE_S = 20.0
_ANY_PYTHON = "/usr/bin/python3"


def install(place: RepositoryHook, url: str, app: str, token_file: Path) -> str:
    """Install or update the hook; return a message that says what was done.

    Raise BuildError if it can't be done.
    """
    if place.vcs is Vcs.GIT:
        check_own_hooks(place)
    config = {
        "url": url.rstrip("/"),
        "app": app,
        "token_file": str(token_file.resolve()),
        "spool": messenger.SPOOL,
    }
    try:
        owner = owner_of(place.inner)
        python = _python_for(owner, place)
        make_folder(place.spool)
        owner.own(place.spool)
        # Everyone who can push must be able to write there.
        place.spool.chmod(mode_of(place.inner))
        if place.vcs is Vcs.GIT:
            hook, done = post_receive.install(place, python)
        else:
            hook, done = place.hgrc, changegroup.install(place, post_receive.COMMENT)
        config["hook"] = os.path.relpath(hook, place.inner)
        owner.write(place.config, json.dumps(config, indent=2) + "\n", _CONFIG_MODE)
    except OSError as error:
        raise _not_permitted(place, error) from error
    return f"{hook} submits every push{done}{_doubt(owner, python, place)}"


def uninstall(place: RepositoryHook) -> str:
    """Remove the hook, and put back what was there; return a message that says what was done.

    Queued commits are kept. Raise BuildError if it can't be done.
    """
    try:
        if place.vcs is Vcs.GIT:
            done = post_receive.uninstall(place)
        else:
            done = changegroup.uninstall(place, post_receive.COMMENT)
        if not done and not place.config.exists():
            raise BuildError(f"{place.inner} has no hook of Bigred")
        queued = len(list(place.spool.glob("*.json")))
        if queued:
            flush = f"`bigred hook flush {place.inner}` submits them"
            return f"{done or 'removed'}; {queued} still queued in {place.spool}: {flush}"
        place.config.unlink(missing_ok=True)
        for left in place.spool.glob("*"):
            left.unlink()
        if place.spool.is_dir():
            place.spool.rmdir()
    except OSError as error:
        raise _not_permitted(place, error) from error
    return done or f"removed {place.config}"


def _not_permitted(place: RepositoryHook, error: OSError) -> BuildError:
    owner = owner_of(place.inner).name
    return BuildError(
        f"can't change the hook: {error}; run this as {owner}, who owns {place.inner}"
    )


def _python_for(owner: FileOwner, place: RepositoryHook) -> str:
    """Return a Python that the repository's owner can run: ours may be in a folder of our own."""
    for python in (sys.executable, _ANY_PYTHON):
        try:
            owner.run((python, "-I", "-S", "-c", ""), place.inner, _DEADLINE_S, {})
        except (OSError, subprocess.TimeoutExpired):
            continue
        return python
    return sys.executable


def _doubt(owner: FileOwner, python: str, place: RepositoryHook) -> str:
    """Run the messenger as the repository's owner, without a push; return what it lacks."""
    argv = (python, "-I", "-S", messenger.__file__, str(place.config), messenger.CHECK)
    try:
        done = owner.run(argv, place.inner, _DEADLINE_S, {})
    except (OSError, subprocess.TimeoutExpired) as error:
        return f", but {owner.name} can't run it: {error}"
    if done.returncode == 0:
        return ""
    lines = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()
    return f", but {owner.name} can't run it: {lines[-1]}"
