"""The server's own git and hg: what others write into a repository runs nothing here."""

import os
import pwd
from pathlib import Path

import pytest
from tests.support.repositories import Repository, call

from bigred_server.errors import BuildError
from bigred_server.pipeline.checkout import Git, Mercurial
from bigred_server.pipeline.vcs_program import credentials, public_url


def git_of(repository: Repository, folder: Path) -> Git:
    return Git(str(repository.central), "main", folder / "clone")


async def test_no_hook_monitor_or_remote_helper_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >>{seen}\n")
        (hooks / name).chmod(0o755)
    # Even if the server's user allows for more, as a developer's account may.
    allowing = tmp_path / "gitconfig"
    allowing.write_text(
        f"[core]\nhooksPath = {hooks}\nfsmonitor = {hooks}/fsmonitor\n[protocol]\nallow = always\n"
        '[protocol "ext"]\nallow = always\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(allowing))
    repository = Repository.made("git", tmp_path)
    evil = f"ext::sh -c echo% helper% >>{seen}"
    repository.write({".gitmodules": f'[submodule "x"]\npath = x\nurl = "{evil}"\n'})
    first = repository.commit("first")
    link = ("update-index", "--add", "--cacheinfo", f"160000,{first},x")
    call("git", *link, folder=repository.checkout)
    call("git", "commit", "-q", "-m", "evil", folder=repository.checkout)
    commit = call("git", "rev-parse", "HEAD", folder=repository.checkout).strip()
    call("git", "push", "-q", "origin", "main", folder=repository.checkout)
    git = git_of(repository, tmp_path)
    await git.fetch(commit)
    await git.check_out(first, tmp_path / "first")
    with pytest.raises(BuildError, match=r"git submodule failed: .*transport 'ext' not allowed"):
        await git.check_out(commit, tmp_path / "evil")
    assert not seen.exists()


async def test_the_shell_that_started_the_server_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, other = (Repository.made("git", tmp_path / name) for name in ("one", "two"))
    commit = repository.push("one").commit
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(other.central))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    git = git_of(repository, tmp_path)
    await git.fetch(commit)
    await git.check_out(commit, tmp_path / "source")
    assert (tmp_path / "source" / "notes").read_text() == "one"


async def test_a_password_in_the_url_is_not_in_the_checkout(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path)
    commit = repository.push("one").commit
    git = git_of(repository, tmp_path)
    await git.fetch(commit)
    secret = Git("https://ada:pass=word@forge.example/shop.git", "main", git.clone)
    await secret.check_out(commit, tmp_path / "source")
    files = [path for path in (tmp_path / "source").rglob("*") if path.is_file()]
    assert not [path for path in files if b"pass=word" in path.read_bytes()]
    config = (tmp_path / "source" / ".git" / "config").read_text()
    assert "url = https://forge.example/shop.git\n" in config


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://ada:secret@forge.example/a/b.git", "https://forge.example/a/b.git"),
        ("https://token@forge.example:8443/a@b.git", "https://forge.example:8443/a@b.git"),
        ("https://forge.example/a@b.git", "https://forge.example/a@b.git"),
        ("ssh://git@forge.example/a.git", "ssh://git@forge.example/a.git"),
        ("git@forge.example:a.git", "git@forge.example:a.git"),
        ("/srv/git/a@b.git", "/srv/git/a@b.git"),
    ],
)
def test_the_public_url_of_a_repository_has_no_password(url: str, public: str) -> None:
    assert public_url(url) == public
    for key, value in credentials(url).items():
        # As git replaces it.
        assert public.replace(value, key.removeprefix("url.").removesuffix(".insteadOf")) == url


@pytest.mark.parametrize(
    "commit", ["--upload-pack=touch seen", "main", "", "HEAD~1", "all()", "0123456\n", "ABCDEF0"]
)
@pytest.mark.parametrize("vcs", ["git", "hg"])
async def test_only_commit_ids_reach_git_and_hg(tmp_path: Path, vcs: str, commit: str) -> None:
    clone = tmp_path / "clone"
    repository = Git("/nowhere", "main", clone) if vcs == "git" else Mercurial("/nowhere", clone)
    with pytest.raises(BuildError, match=r"is not a commit ID: 7 to 64 of 0-9 and a-f"):
        await repository.fetch(commit)
    assert not clone.exists()


async def test_a_mercurial_checkout_shares_no_file_with_the_clone(tmp_path: Path) -> None:
    repository = Repository.made("hg", tmp_path)
    commit = repository.push("one").commit
    hg = Mercurial(str(repository.central), tmp_path / "clone")
    await hg.fetch(commit)
    await hg.check_out(commit, tmp_path / "source")
    assert (tmp_path / "source" / "notes").read_text() == "one"
    shared = [path for path in (tmp_path / "source").rglob("*") if path.lstat().st_nlink > 1]
    assert [path for path in shared if path.is_file()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
async def test_root_runs_no_hook_or_extension_of_somebody_elses_mercurial_repository(
    tmp_path: Path,
) -> None:
    seen = tmp_path / "seen"
    repository = Repository.made("hg", tmp_path)
    commit = repository.push("one").commit
    extension = tmp_path / "evil.py"
    extension.write_text(f"open({str(seen)!r}, 'w').close()\n")
    hgrc = repository.central / ".hg" / "hgrc"
    # One whose name begins with "pre" ends the pull instead: Mercurial can't ask it.
    hgrc.write_text(f"[extensions]\nevil = {extension}\n[hooks]\noutgoing = touch {seen}\n")
    nobody = pwd.getpwnam("nobody")
    for path in (repository.central, *repository.central.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    hg = Mercurial(str(repository.central), tmp_path / "clone")
    await hg.fetch(commit)
    await hg.check_out(commit, tmp_path / "source")
    assert (tmp_path / "source" / "notes").read_text() == "one"
    assert not seen.exists()
