"""Install the hook in a local repository: git's post-receive, Mercurial's changegroup."""

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bigred_server.artifacts.files import temporary
from bigred_server.errors import BuildError
from bigred_server.hook import messenger
from bigred_server.settings.build import Vcs

# The stable part of the comment, by which later versions recognize their own hook.
_WRITTEN_BY = "Written by `bigred hook install`."
_COMMENT = f"# Bigred's hook: submits every push. {_WRITTEN_BY}"
# Git allows one hook file; an earlier hook gets this suffix and is still called.
_BEFORE = "before-bigred"
_GIT_HOOK = """#!/bin/sh
{comment}
refs=$(cat)
[ ! -x "$0.{before}" ] || printf '%s\\n' "$refs" | "$0.{before}" "$@"
printf '%s\\n' "$refs" | exec {python} -I -S {messenger} {config}
"""


@dataclass(frozen=True)
class RepositoryHook:
    """A repository. `inner`: its .git or .hg folder; `hooks`: git's folder for hooks."""

    vcs: Vcs
    inner: Path
    hooks: Path

    @property
    def config(self) -> Path:
        """The hook's configuration file, which names the server."""
        return self.inner / messenger.CONFIG


def place_of(vcs: Vcs, repository: Path) -> RepositoryHook:
    """Find the folders of a repository. Raise BuildError if it is not one."""
    if vcs is Vcs.HG:
        inner = (repository / ".hg").resolve()
        if not inner.is_dir():
            raise BuildError(f"{repository} is not a Mercurial repository: it has no .hg")
        return RepositoryHook(vcs, inner, inner)
    inner = _git(repository, "--absolute-git-dir")
    hooks = _git(repository, "--git-path", "hooks")
    return RepositoryHook(
        vcs, inner, hooks if hooks.is_absolute() else repository.resolve() / hooks
    )


def install(place: RepositoryHook, url: str, app: str, token_file: Path) -> str:
    """Install or update the hook; return a message that says what was done."""
    spool = place.inner / "bigred-spool"
    config = {
        "url": url.rstrip("/"),
        "app": app,
        "token_file": str(token_file.resolve()),
        "spool": str(spool),
    }
    try:
        spool.mkdir(exist_ok=True)
        # Everyone who can push must be able to write there.
        spool.chmod(place.inner.stat().st_mode)
        _write(place.config, json.dumps(config, indent=2) + "\n", 0o644)
        return _git_hook(place) if place.vcs is Vcs.GIT else _hg_hook(place)
    except OSError as error:
        raise BuildError(
            f"can't write the hook: {error}; run this as the owner of {place.inner}"
        ) from error


def _git_hook(place: RepositoryHook) -> str:
    hook = place.hooks / "post-receive"
    place.hooks.mkdir(exist_ok=True)
    moved = ""
    if hook.exists() and _WRITTEN_BY not in hook.read_text(encoding="utf-8", errors="replace"):
        before = hook.with_name(f"{hook.name}.{_BEFORE}")
        hook.rename(before)
        moved = f"; the previous hook was moved to {before} and still runs first"
    text = _GIT_HOOK.format(
        comment=_COMMENT,
        before=_BEFORE,
        python=shlex.quote(sys.executable),
        messenger=shlex.quote(messenger.__file__),
        config=shlex.quote(str(place.config)),
    )
    _write(hook, text, 0o755)
    return f"{hook} submits every push{moved}"


def _hg_hook(place: RepositoryHook) -> str:
    hgrc = place.inner / "hgrc"
    text = hgrc.read_text(encoding="utf-8") if hgrc.exists() else ""
    line = f"changegroup.bigred = python:{messenger.__file__}:changegroup"
    lines = [one for one in text.splitlines() if not one.startswith("changegroup.bigred")]
    sections = [one.strip() for one in lines]
    if "[hooks]" in sections:
        lines.insert(sections.index("[hooks]") + 1, line)
    else:
        lines += [*([""] if lines else []), _COMMENT, "[hooks]", line]
    _write(hgrc, "\n".join(lines) + "\n", 0o644)
    return f"{hgrc} submits every push"


def _write(path: Path, text: str, mode: int) -> None:
    with temporary(path.parent, prefix=f".{path.name}-") as new:
        new.write_text(text, encoding="utf-8")
        new.chmod(mode)
        new.replace(path)


def _git(repository: Path, *arguments: str) -> Path:
    argv = ("git", "-C", str(repository), "rev-parse", *arguments)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"can't run git: {error}") from error
    if done.returncode != 0:
        raise BuildError(f"{repository} is not a git repository: {done.stderr.strip()}")
    return Path(done.stdout.strip())
