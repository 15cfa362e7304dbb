"""Check out a commit from git or Mercurial.

The server keeps its own clone next to the builds, so it fetches only new commits.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bigred_server.errors import BuildError
from bigred_server.model.build import is_commit
from bigred_server.model.release import Change
from bigred_server.pipeline.vcs_program import credentials, git, hg, public_url
from bigred_server.settings.build import BuildSettings, Vcs

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
        _check(commit)
        if not (self.clone / "HEAD").exists():
            # A build reads the clone, whoever it runs as, for a checkout shares its objects.
            readable = ("--shared=0644", "--template=")
            await git("init", "-q", "--bare", *readable, str(self.clone))
        branch = f"+refs/heads/{self.branch}:refs/heads/{self.branch}"
        fetch = ("fetch", "-q", f"--depth={_DEPTH}", "--", public_url(self.url))
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
        shared = ("--shared", "--no-checkout", "--template=")
        await git("clone", "-q", *shared, "--", str(self.clone), str(folder))
        inside = ("-C", str(folder))
        await git("remote", "set-url", "origin", public_url(self.url), options=inside)
        await git("checkout", "-q", "--detach", commit, "--", options=inside)
        if not (folder / ".gitmodules").exists():
            return
        configuration = dict(credentials(self.url))
        # git refuses submodules from local folders unless this option is set; set it only if the
        # repository itself is local.
        if self.url.startswith(("/", "file:")):
            configuration["protocol.file.allow"] = "always"
        update = ("submodule", "-q", "update", "--init", "--recursive")
        await git(*update, options=inside, configuration=configuration)

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
        at = ("-C", str(self.clone))
        return await git(*arguments, options=at, configuration=credentials(self.url))


@dataclass(frozen=True)
class Mercurial:
    """A Mercurial repository; the clone has no working folder."""

    url: str
    clone: Path

    async def fetch(self, commit: str) -> None:
        """See Repository."""
        _check(commit)
        if not (self.clone / ".hg").exists():
            await hg("init", "--", str(self.clone))
        await self._hg("pull", "-q", "-r", commit, "--", self.url)

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
        # Pulled: otherwise both would have the same files, and a build could change the clone's.
        await hg("clone", "-q", "--noupdate", "--pull", "--", str(self.clone), str(folder))
        await hg("update", "-q", "--clean", "-r", commit, options=("-R", str(folder)))

    async def _log(self, revisions: str) -> list[Change]:
        shape = r"{node}\n{author|person}\n{desc|firstline}\0"
        return _commits(await self._hg("log", "-r", revisions, "--template", shape))

    async def _hg(self, *arguments: str) -> str:
        return await hg(*arguments, options=("-R", str(self.clone)))


def repository_of(settings: BuildSettings, clone: Path) -> Repository:
    """Return the repository of an app."""
    if settings.vcs is Vcs.GIT:
        return Git(settings.repository, settings.on_branch, clone)
    return Mercurial(settings.repository, clone)


def _commits(output: str) -> list[Change]:
    parts = [one.split("\n", _FIELDS - 1) for one in output.split(_END)]
    return [Change(*fields).made_plain() for fields in parts if len(fields) == _FIELDS]


def _check(commit: str) -> None:
    # git and hg would take anything else for a name, an expression or an option.
    if not is_commit(commit):
        raise BuildError(f"{commit[:80]!r} is not a commit ID: 7 to 64 of 0-9 and a-f")


def _single(found: list[Change], commit: str) -> Change:
    if len(found) != 1:
        raise BuildError(f"the repository has no commit {commit}")
    return found[0]
