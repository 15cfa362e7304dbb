"""Git and Mercurial repositories: one that is pushed to, and a working copy."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Packs a WAR that reports its release.
BUILD = """#!/bin/sh
set -e
mkdir -p out/META-INF out/WEB-INF
printf 'Manifest-Version: 1.0\\r\\nImplementation-Version: %s\\r\\n\\r\\n' "$BIGRED_VERSION" \
  >out/META-INF/MANIFEST.MF
printf '%s' "$BIGRED_VERSION" >out/WEB-INF/version.txt
cat notes >out/notes
cd out
python3 -m zipfile -c ../app.war META-INF WEB-INF notes
"""
_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "HGUSER": "Ada <ada@example.org>",
    "HGRCPATH": "",
}
_DEADLINE_S = 60.0


@dataclass(frozen=True)
class Pushed:
    """A commit, and what its push printed."""

    commit: str
    output: str


@dataclass(frozen=True)
class Repository:
    """`central` is pushed to, from the working copy `checkout`. `vcs`: "git" or "hg"."""

    vcs: str
    central: Path
    checkout: Path

    @classmethod
    def made(cls, vcs: str, folder: Path, files: Mapping[str, str] | None = None) -> "Repository":
        """Create both; the files are there but not committed yet."""
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(vcs, folder / "central", folder / "checkout")
        if vcs == "git":
            call("git", "init", "-q", "--bare", "-b", "main", str(made.central), folder=folder)
            call("git", "init", "-q", "-b", "main", str(made.checkout), folder=folder)
            call("git", "remote", "add", "origin", str(made.central), folder=made.checkout)
        else:
            call("hg", "init", str(made.central), folder=folder)
            call("hg", "clone", "-q", str(made.central), str(made.checkout), folder=folder)
        made.write(files or {"build.sh": BUILD})
        return made

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the working copy; scripts are executable."""
        for name, text in files.items():
            path = self.checkout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if path.suffix == ".sh":
                path.chmod(0o755)

    def commit(self, message: str, version: str = "") -> str:
        """Change something and commit it, tagged if a version is given; return the commit's id."""
        self.write({"notes": message})
        if self.vcs == "hg":
            call("hg", "commit", "-q", "-A", "-m", message, folder=self.checkout)
            found = call(
                "hg", "log", "-r", ".", "--template", "{node}", folder=self.checkout
            ).strip()
            if version:
                # This is a commit of its own.
                call("hg", "tag", version, folder=self.checkout)
            return found
        call("git", "add", "-A", folder=self.checkout)
        call("git", "commit", "-q", "-m", message, folder=self.checkout)
        if version:
            call("git", "tag", version, folder=self.checkout)
        return call("git", "rev-parse", "HEAD", folder=self.checkout).strip()

    def push(self, message: str, version: str = "") -> Pushed:
        """Commit, and push."""
        commit = self.commit(message, version)
        push = ("git", "push", "--tags", "origin", "main") if self.vcs == "git" else ("hg", "push")
        return Pushed(commit, call(*push, folder=self.checkout))


def call(*argv: str, folder: Path) -> str:
    """Run a program that must succeed; return its output."""
    done = subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, **_ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}"
    return done.stdout
