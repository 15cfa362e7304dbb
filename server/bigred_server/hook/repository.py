"""Where a repository keeps its hooks, and whether they are its own."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from bigred_server.errors import BuildError
from bigred_server.hook import messenger
from bigred_server.hook.owner import owner_of
from bigred_server.settings.build import Vcs

POST_RECEIVE = "post-receive"
_PART = "bigred"
_DEADLINE_S = 20.0
# GitLab keeps its repositories in a folder of this name, and looks for hooks in that one.
_GITLAB = "@hashed"
CUSTOM_HOOKS = "custom_hooks"


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

    @property
    def spool(self) -> Path:
        """The folder of queued commits."""
        return self.inner / messenger.SPOOL

    @property
    def hgrc(self) -> Path:
        """Mercurial's configuration of the repository."""
        return self.inner / "hgrc"

    @property
    def post_receive(self) -> Path:
        """The file that git runs."""
        return self.hooks / POST_RECEIVE

    @property
    def earlier(self) -> Path:
        """Where an earlier post-receive is kept: under its own name, one folder below `inner`.

        Scripts look at their own name and at what is beside and above them.
        """
        return self.inner / "hooks.before-bigred" / POST_RECEIVE

    @property
    def part(self) -> Path:
        """Our part of a post-receive that runs every file in a folder, as Gitea's does."""
        return self.hooks / f"{POST_RECEIVE}.d" / _PART

    @property
    def suffixed(self) -> Path:
        """Our part of a post-receive that runs every file whose name it begins, as Gitolite's."""
        return self.hooks / f"{POST_RECEIVE}.{_PART}"

    @property
    def custom(self) -> Path:
        """Our part in a repository of GitLab, which never looks into `hooks`."""
        return self.inner / CUSTOM_HOOKS / f"{POST_RECEIVE}.d" / _PART

    @property
    def is_gitlabs(self) -> bool:
        """Whether GitLab keeps the repository."""
        return self.custom.parents[1].is_dir() or _GITLAB in self.inner.parts


def place_of(vcs: Vcs, repository: Path) -> RepositoryHook:
    """Find the folders of a repository. Raise BuildError if it is not one."""
    if vcs is Vcs.HG:
        inner = (repository / ".hg").resolve()
        if not inner.is_dir():
            raise BuildError(f"{repository} is not a Mercurial repository: it has no .hg")
        return RepositoryHook(vcs, inner, inner)
    # Both are relative to the repository, or absolute.
    inner = (repository / _git(repository, "--git-common-dir")).resolve()
    hooks = repository.resolve() / _git(repository, "--git-path", "hooks")
    return RepositoryHook(vcs, inner, hooks)


def check_own_hooks(place: RepositoryHook) -> None:
    """Raise BuildError if other repositories have the same folder of hooks."""
    own = place.inner.parent if place.inner.name == ".git" else place.inner
    if place.hooks.resolve().is_relative_to(own) or place.is_gitlabs:
        return
    raise BuildError(
        f"git looks for hooks in {place.hooks.resolve()}, outside this repository: core.hooksPath "
        "or a link makes repositories share it, and a hook there would submit the pushes of them "
        "all. Use a webhook, or give this repository a folder of its own (the shared hooks then no "
        f"longer run for it): git -C {own} config core.hooksPath {place.inner / 'hooks'}"
    )


def _git(repository: Path, *arguments: str) -> str:
    # As the owner, whose global configuration counts at a push. Root may look all the same, and
    # rev-parse runs nothing from a repository.
    argv = ("git", "-c", "safe.directory=*", "rev-parse", *arguments)
    try:
        done = owner_of(repository).run(argv, repository, _DEADLINE_S, {})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"can't run git: {error}") from error
    if done.returncode != 0:
        raise BuildError(f"{repository} is not a git repository: {done.stderr.strip()}")
    return done.stdout.removesuffix("\n")
