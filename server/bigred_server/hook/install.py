"""Puts the hook into a repository of this machine: git's post-receive, Mercurial's changegroup."""

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

_MARK = "# Bigred's hook: hands in what was pushed. Written by `bigred hook install`."
# Git's hook is a file; whatever hook was there before goes on being called.
_BEFORE = "before-bigred"
_GIT_HOOK = """#!/bin/sh
{mark}
refs=$(cat)
[ ! -x "$0.{before}" ] || printf '%s\\n' "$refs" | "$0.{before}" "$@"
printf '%s\\n' "$refs" | exec {python} -I -S {messenger} {config}
"""


@dataclass(frozen=True)
class RepositoryHook:
    """A repository: `inner` is the folder of its own files, `hooks` git's folder of hooks."""

    vcs: Vcs
    inner: Path
    hooks: Path

    @property
    def config(self) -> Path:
        """The file that tells the hook whom to hand in to."""
        return self.inner / messenger.CONFIG


def place_of(vcs: Vcs, repository: Path) -> RepositoryHook:
    """Find the parts of a repository. Raises BuildError when it is none."""
    if vcs is Vcs.HG:
        inner = (repository / ".hg").resolve()
        if not inner.is_dir():
            raise BuildError(f"{repository} is no Mercurial repository: it has no .hg")
        return RepositoryHook(vcs, inner, inner)
    inner = _git(repository, "--absolute-git-dir")
    hooks = _git(repository, "--git-path", "hooks")
    return RepositoryHook(
        vcs, inner, hooks if hooks.is_absolute() else repository.resolve() / hooks
    )


def install(place: RepositoryHook, url: str, app: str, token_file: Path) -> str:
    """Install the hook, or bring it up to date; give a sentence that says what was done."""
    spool = place.inner / "bigred-spool"
    told = {
        "url": url.rstrip("/"),
        "app": app,
        "token_file": str(token_file.resolve()),
        "spool": str(spool),
    }
    try:
        spool.mkdir(exist_ok=True)
        # Whoever may push may write there.
        spool.chmod(place.inner.stat().st_mode)
        _write(place.config, json.dumps(told, indent=2) + "\n", 0o644)
        return _git_hook(place) if place.vcs is Vcs.GIT else _hg_hook(place)
    except OSError as error:
        raise BuildError(
            f"the hook can't be written: {error}; do it as the user who owns {place.inner}"
        ) from error


def _git_hook(place: RepositoryHook) -> str:
    hook = place.hooks / "post-receive"
    place.hooks.mkdir(exist_ok=True)
    kept = ""
    if hook.exists() and _MARK not in hook.read_text(encoding="utf-8", errors="replace"):
        before = hook.with_name(f"{hook.name}.{_BEFORE}")
        hook.rename(before)
        kept = f"; the hook that was there is {before} now and called first"
    text = _GIT_HOOK.format(
        mark=_MARK,
        before=_BEFORE,
        python=shlex.quote(sys.executable),
        messenger=shlex.quote(messenger.__file__),
        config=shlex.quote(str(place.config)),
    )
    _write(hook, text, 0o755)
    return f"{hook} hands in each push{kept}"


def _hg_hook(place: RepositoryHook) -> str:
    hgrc = place.inner / "hgrc"
    text = hgrc.read_text(encoding="utf-8") if hgrc.exists() else ""
    line = f"changegroup.bigred = python:{messenger.__file__}:changegroup"
    kept = [one for one in text.splitlines() if not one.startswith("changegroup.bigred")]
    sections = [one.strip() for one in kept]
    if "[hooks]" in sections:
        kept.insert(sections.index("[hooks]") + 1, line)
    else:
        kept += [*([""] if kept else []), _MARK, "[hooks]", line]
    _write(hgrc, "\n".join(kept) + "\n", 0o644)
    return f"{hgrc} has each push handed in"


def _write(path: Path, text: str, mode: int) -> None:
    with temporary(path.parent, prefix=f".{path.name}-") as new:
        new.write_text(text, encoding="utf-8")
        new.chmod(mode)
        new.replace(path)


def _git(repository: Path, *asked: str) -> Path:
    argv = ("git", "-C", str(repository), "rev-parse", *asked)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"git can't be run: {error}") from error
    if done.returncode != 0:
        raise BuildError(f"{repository} is no git repository: {done.stderr.strip()}")
    return Path(done.stdout.strip())
