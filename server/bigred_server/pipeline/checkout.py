"""Check out a commit from git or Mercurial by running their programs, without a shell.

The server keeps its own clone next to the builds, so it fetches only new commits.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bigred_server import child
from bigred_server.errors import BuildError
from bigred_server.model.release import Change
from bigred_server.settings.build import BuildSettings, Vcs

_LIMIT_S = 600.0
_DEPTH = 200
# Messages contain no NUL, and names and first lines contain no line break.
_END = "\0"
_FIELDS = 3


class Repository(Protocol):
    """The repository of an app's commits, with the server's own clone of it."""

    async def fetch(self, commit: str) -> None:
        """Fetch a commit into the clone. Raise BuildError if that fails."""

    async def about(self, commit: str) -> tuple[Change, str]:
        """Return the commit and its description in the repository, the build's version."""

    async def since(self, old: str, new: str) -> list[Change]:
        """List the commits in the history of `new` but not of `old`, newest first."""

    async def check_out(self, commit: str, folder: Path) -> None:
        """Check out the commit, with its submodules, into a new folder."""


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
            # The commit is no longer on the branch, or is older than the depth fetched.
            await self._git(*fetch, commit)

    async def about(self, commit: str) -> tuple[Change, str]:
        """See Repository."""
        found = _single(await self._log("-1", commit), commit)
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
        # git refuses submodules from local folders unless this option is set; set it only if the
        # repository itself is local.
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
        found = _single(await self._log(commit), commit)
        shape = "{latesttag}\n{latesttagdistance}\n{node|short}"
        output = await self._hg("log", "-r", commit, "--template", shape)
        tag, distance, short = output.rsplit("\n", 2)
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
    """Return the repository of an app."""
    if settings.vcs is Vcs.GIT:
        return Git(settings.repository, settings.on_branch, clone)
    return Mercurial(settings.repository, clone)


def _commits(output: str) -> list[Change]:
    parts = [one.split("\n", _FIELDS - 1) for one in output.split(_END)]
    return [Change(*fields).made_plain() for fields in parts if len(fields) == _FIELDS]


def _single(found: list[Change], commit: str) -> Change:
    if len(found) != 1:
        raise BuildError(f"the repository has no commit {commit}")
    return found[0]


async def _run(*argv: str) -> str:
    """Run git or hg; return its output. Raise BuildError with its error message if it fails."""
    # It must not prompt for a password, and its output must not depend on a user's settings.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "HGPLAIN": "1", "LC_ALL": "C.UTF-8"}
    try:
        async with asyncio.timeout(_LIMIT_S):
            done = await child.captured(*argv, environment=environment, with_stderr=True)
    except TimeoutError as error:
        raise BuildError(f"{argv[0]} did not finish within {_LIMIT_S:g} s") from error
    except OSError as error:
        raise BuildError(f"{argv[0]} can't be run: {error.strerror}; install it") from error
    if done.code != 0:
        reason = " ".join(done.stderr.split())[-500:]
        verb = next((word for word in argv[1:] if not word.startswith(("-", "/"))), "")
        raise BuildError(f"{argv[0]} {verb} failed: {reason or f'exit code {done.code}'}")
    return done.stdout
