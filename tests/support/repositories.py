"""Repositories of a small app, git's and Mercurial's, and pushes to them."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

BUILD = """#!/bin/sh
# Packs a WAR that says which release it is.
set -e
mkdir -p out/META-INF out/WEB-INF
printf 'Manifest-Version: 1.0\\r\\nImplementation-Version: %s\\r\\n\\r\\n' "$BIGRED_VERSION" \
  >out/META-INF/MANIFEST.MF
printf '%s' "$BIGRED_VERSION" >out/WEB-INF/version.txt
cat page.txt >out/page.txt
cd out
python3 -m zipfile -c ../app.war META-INF WEB-INF page.txt
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


def call(*argv: str, folder: Path) -> str:
    """Run a program that must succeed; give what it prints."""
    done = subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, **_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Pushed:
    """A commit, and what its push told the pusher."""

    commit: str
    told: str


@dataclass(frozen=True)
class GitRepository:
    """A bare repository `central`, and a working copy `desk` that is pushed from."""

    central: Path
    desk: Path

    @classmethod
    def made(cls, folder: Path) -> "GitRepository":
        """Make both, with the app's first commit not yet pushed."""
        made = cls(folder / "central.git", folder / "desk")
        call("git", "init", "-q", "--bare", "-b", "main", str(made.central), folder=folder)
        call("git", "init", "-q", "-b", "main", str(made.desk), folder=folder)
        call("git", "remote", "add", "origin", str(made.central), folder=made.desk)
        made.write("build.sh", BUILD).chmod(0o755)
        return made

    def write(self, name: str, text: str) -> Path:
        """Write a file of the working copy."""
        path = self.desk / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def commit(self, message: str, page: str | None = None) -> str:
        """Commit everything; give the commit's id."""
        self.write("page.txt", page or message)
        call("git", "add", "-A", folder=self.desk)
        call("git", "commit", "-q", "-m", message, folder=self.desk)
        return call("git", "rev-parse", "HEAD", folder=self.desk).strip()

    def tag(self, name: str) -> None:
        """Tag the newest commit."""
        call("git", "tag", name, folder=self.desk)

    def push(self, message: str) -> Pushed:
        """Commit, and push with all tags."""
        commit = self.commit(message)
        argv = ("git", "push", "--tags", "origin", "main")
        done = subprocess.run(
            argv,
            cwd=self.desk,
            env={**os.environ, **_ENVIRONMENT},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Pushed(commit, done.stderr)


@dataclass(frozen=True)
class HgRepository:
    """A repository `central`, and a clone `desk` that is pushed from."""

    central: Path
    desk: Path

    @classmethod
    def made(cls, folder: Path) -> "HgRepository":
        """Make both, with the app's first commit not yet pushed."""
        made = cls(folder / "central", folder / "desk")
        call("hg", "init", str(made.central), folder=folder)
        call("hg", "clone", "-q", str(made.central), str(made.desk), folder=folder)
        (made.desk / "build.sh").write_text(BUILD)
        (made.desk / "build.sh").chmod(0o755)
        return made

    def commit(self, message: str) -> str:
        """Commit everything; give the commit's id."""
        (self.desk / "page.txt").write_text(message)
        call("hg", "commit", "-q", "-A", "-m", message, folder=self.desk)
        return call("hg", "log", "-r", ".", "--template", "{node}", folder=self.desk).strip()

    def tag(self, name: str) -> None:
        """Tag the newest commit: that is a commit of its own."""
        call("hg", "tag", name, folder=self.desk)

    def push(self, message: str) -> Pushed:
        """Commit, and push."""
        commit = self.commit(message)
        return Pushed(commit, call("hg", "push", folder=self.desk))
