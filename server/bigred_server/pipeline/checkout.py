"""A commit's files, clean, from git or Mercurial: by their own programs, and no shell.

The server keeps a clone of its own beside the builds: what is known is not fetched again.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bigred_server import child
from bigred_server.errors import BuildError
from bigred_server.model.release import Change, plain
from bigred_server.settings.build import BuildSettings, Vcs

_LIMIT_S = 600.0
_DEPTH = 200
# No message holds a NUL, and no name or first line a line break.
_END = "\0"
_FIELDS = 3


class Repository(Protocol):
    """Where an app's commits come from; `clone` is the server's own copy of it."""

    async def fetch(self, commit: str) -> None:
        """Have a commit in the clone. Raises BuildError when it can't be had."""

    async def about(self, commit: str) -> tuple[Change, str]:
        """Give the commit, and how the repository describes it: the version of its build."""

    async def since(self, old: str, new: str) -> list[Change]:
        """List the commits that the new one has and the old one has not, the newest first."""

    async def check_out(self, commit: str, folder: Path) -> None:
        """Put the commit's files, and those of its submodules, into a new folder."""


@dataclass(frozen=True)
class Git:
    """A git repository; the clone is bare and shallow."""

    url: str
    branch: str
    clone: Path

    async def fetch(self, commit: str) -> None:
        """See Repository."""
        if not (self.clone / "HEAD").exists():
            await _run("git", "init", "-q", "--bare", str(self.clone))
        branch = f"+refs/heads/{self.branch}:refs/heads/{self.branch}"
        fetch = ("fetch", "-q", f"--depth={_DEPTH}", "--", self.url)
        await self._git(*fetch, branch)
        if not await self._has(commit):
            # It is the branch's no more, or was pushed long ago.
            await self._git(*fetch, commit)

    async def about(self, commit: str) -> tuple[Change, str]:
        """See Repository."""
        found = _only(await self._log("-1", commit), commit)
        described = await self._git("describe", "--tags", "--always", "--abbrev=8", commit)
        return found, described.strip().removeprefix("v")

    async def since(self, old: str, new: str) -> list[Change]:
        """See Repository."""
        return await self._log(f"--max-count={_DEPTH}", new, f"^{old}")

    async def check_out(self, commit: str, folder: Path) -> None:
        """See Repository."""
        await _run("git", "clone", "-q", "--shared", "--no-checkout", str(self.clone), str(folder))
        inside = ("git", "-C", str(folder))
        await _run(*inside, "remote", "set-url", "origin", self.url)
        await _run(*inside, "checkout", "-q", "--detach", commit, "--")
        if not (folder / ".gitmodules").exists():
            return
        # git lets a submodule be a folder of this machine only where that is asked for; here the
        # whole repository is one.
        local = ("-c", "protocol.file.allow=always") if self.url.startswith(("/", "file:")) else ()
        await _run(
            "git", *local, "-C", str(folder), "submodule", "-q", "update", "--init", "--recursive"
        )

    async def _has(self, commit: str) -> bool:
        try:
            await self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except BuildError:
            return False
        return True

    async def _log(self, *arguments: str) -> list[Change]:
        shape = ("-z", "--format=tformat:%H%n%an%n%s")
        return _commits(await self._git("log", *shape, *arguments, "--"))

    async def _git(self, *arguments: str) -> str:
        return await _run("git", "-C", str(self.clone), *arguments)


@dataclass(frozen=True)
class Mercurial:
    """A Mercurial repository; the clone has no working folder."""

    url: str
    clone: Path

    async def fetch(self, commit: str) -> None:
        """See Repository."""
        if not (self.clone / ".hg").exists():
            await _run("hg", "init", str(self.clone))
        await self._hg("pull", "-q", "-r", commit, self.url)

    async def about(self, commit: str) -> tuple[Change, str]:
        """See Repository."""
        found = _only(await self._log(commit), commit)
        shape = "{latesttag}\n{latesttagdistance}\n{node|short}"
        said = await self._hg("log", "-r", commit, "--template", shape)
        tag, distance, short = said.rsplit("\n", 2)
        if tag == "null":
            return found, short
        return found, tag.removeprefix("v") if distance == "0" else f"{tag}-{distance}-{short}"

    async def since(self, old: str, new: str) -> list[Change]:
        """See Repository."""
        return await self._log(f"reverse(only({new}, {old}))")

    async def check_out(self, commit: str, folder: Path) -> None:
        """See Repository."""
        await _run("hg", "clone", "-q", "--noupdate", str(self.clone), str(folder))
        await _run("hg", "-R", str(folder), "update", "-q", "--clean", "-r", commit)

    async def _log(self, revisions: str) -> list[Change]:
        shape = r"{node}\n{author|person}\n{desc|firstline}\0"
        return _commits(await self._hg("log", "-r", revisions, "--template", shape))

    async def _hg(self, *arguments: str) -> str:
        return await _run("hg", "-R", str(self.clone), *arguments)


def repository_of(settings: BuildSettings, clone: Path) -> Repository:
    """Give the repository of an app."""
    if settings.vcs is Vcs.GIT:
        return Git(settings.repository, settings.on_branch, clone)
    return Mercurial(settings.repository, clone)


def _commits(said: str) -> list[Change]:
    parts = [one.split("\n", _FIELDS - 1) for one in said.split(_END)]
    return [Change(*map(plain, fields)) for fields in parts if len(fields) == _FIELDS]


def _only(found: list[Change], commit: str) -> Change:
    if len(found) != 1:
        raise BuildError(f"the repository says nothing of {commit}")
    return found[0]


async def _run(*argv: str) -> str:
    """Run one of their programs; give what it prints. Raises BuildError with what it complains."""
    # It must never ask anybody for a password, nor read what a user has configured.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "HGPLAIN": "1", "LC_ALL": "C.UTF-8"}
    try:
        async with asyncio.timeout(_LIMIT_S):
            done = await child.captured(*argv, environment=environment, complaints=True)
    except TimeoutError as error:
        raise BuildError(f"{argv[0]} was not done in {_LIMIT_S:g} s") from error
    except OSError as error:
        raise BuildError(f"{argv[0]} can't be run: {error.strerror}; install it") from error
    if done.code != 0:
        told = " ".join(done.complaints.split())[-500:]
        verb = next((word for word in argv[1:] if not word.startswith(("-", "/"))), "")
        raise BuildError(f"{argv[0]} {verb} failed: {told or done.code}")
    return done.printed
