"""A real push alone leads to a live release, or to an armed box."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from tests.support import forked
from tests.support.pushes import pushing
from tests.support.repositories import Pushed, Repository
from tests.support.rig import Rig, wait_rarely

from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.hook.install import install
from bigred_server.hook.messenger import Messenger
from bigred_server.hook.repository import place_of
from bigred_server.settings.build import Vcs

SMOKE = {
    "command": ("sh", "-c", 'python3 smoke.py "$BIGRED_URL/health"'),
    "tomcat": True,
    "tomcat_s": 15.0,
}
ASKS = "import sys, urllib.request\nurllib.request.urlopen(sys.argv[1], timeout=10).read()\n"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("vcs", ["git", "hg"])
def test_a_push_leads_to_a_live_release_and_no_request_is_lost(vcs: str) -> None:
    with pushing(vcs, 2, tests={"smoke": SMOKE}) as (place, repository):
        repository.write({"smoke.py": ASKS})
        with shopping(place.demo_site.folder, place.demo_site.url, LoadOptions(150.0)) as load:
            wait_rarely(lambda: load.counts().requests > 100, 20, "users have come")
            pushed = submitted(repository, repository.push("say 'hello'; $(exit 1) `id`", "1.7.0"))
            # Mercurial's tag is a later commit, and the newest commit is built.
            assert re.search(r"[0-9a-f]{12} (was already )?submitted as shop build 1", pushed)
            wait_rarely(lambda: "ready" in place.bigred("build", "list"), 60, "it is built")
            version = place.bigred("build", "list").splitlines()[1].split()[4]
            place.until_serving(version)
        assert load.counts().failed == 0
        live = place.state().live
        assert live is not None
        assert (live.version, live.author) == (version, "Ada")
        assert version.startswith("1.7.0")
        # A build whose tests fail goes no further, and the live release stays live.
        repository.write({"kind": "answers-500"})
        submitted(repository, repository.push("bad"))
        wait_rarely(lambda: "failed" in place.bigred("build", "list"), 60, "it has failed")
        assert "did not come up: status 500" in place.bigred("build", "list")
        assert set(place.serving().values()) == {version}


def test_with_on_press_a_push_leads_to_a_box_that_can_be_armed() -> None:
    with pushing("git", 2, deploy="on_press") as (place, repository):
        submitted(repository, repository.push("first", "1.7.0"))
        wait_rarely(lambda: place.state().candidate is not None, 60, "the candidate waits")
        with place.demo_site.box():
            log = place.demo_site.log("box")
            wait_rarely(
                lambda: "candidate" in log.read_text(), 20, "its light tells that one waits"
            )
            place.demo_site.set_button("open")
            wait_rarely(lambda: "System is armed" in log.read_text(), 20, "it is armed")
            place.demo_site.set_button("press")
            place.until_serving("1.7.0")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Yield a repository with our hook for a server that is not there."""
    made = Repository.made("git", tmp_path / "repository")
    (tmp_path / "token").write_text("secret")
    install(place_of(Vcs.GIT, made.central), "http://127.0.0.1:1", "shop", tmp_path / "token")
    return made


def waiting(repository: Repository) -> int:
    return len(Messenger(repository.central / "bigred-hook.json").waiting())


def flushed(repository: Repository) -> str:
    done = forked.run("hook", "flush", ".", folder=repository.central)
    assert done.returncode == 0, done.stderr
    return done.stdout


def submitted(repository: Repository, pushed: Pushed) -> str:
    """Return what the push printed, or the flush if the server was too busy to answer immediately.

    Such a server may still have accepted the push: then it "was already submitted".
    """
    return flushed(repository) if "queued" in pushed.output else pushed.output


def test_a_push_never_fails_and_is_queued_while_the_server_is_away(repository: Repository) -> None:
    found = repository.push("one").output
    assert "1 push is queued for the next push or `bigred hook flush`" in found
    assert "ConnectionRefusedError" in found
    assert "2 pushes are queued" in repository.push("two").output
    assert waiting(repository) == 2


def test_a_hanging_server_delays_a_push_by_less_than_a_second(
    repository: Repository, tmp_path: Path
) -> None:
    repository.push("first")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        install(place_of(Vcs.GIT, repository.central), url, "shop", tmp_path / "token")
        repository.commit("slow")
        begun_s = time.monotonic()
        found = repository.push("slower").output
        took_s = time.monotonic() - begun_s
    assert "no answer within 0.7 s" in found
    # Including git's own time, which is not ours; `./bigred bench hook` measures ours.
    assert took_s < 5.0


def test_an_existing_hook_is_still_called(tmp_path: Path) -> None:
    made = Repository.made("git", tmp_path / "repository")
    theirs = made.central / "hooks" / "post-receive"
    theirs.write_text(f"#!/bin/sh\ncat >{tmp_path}/seen\n")
    theirs.chmod(0o755)
    place = place_of(Vcs.GIT, made.central)
    for _ in range(2):
        said = install(place, "http://127.0.0.1:1", "shop", tmp_path / "token")
    assert "submits every push" in said
    commit = made.push("one").commit
    assert commit in (tmp_path / "seen").read_text()
    assert waiting(made) == 1


@pytest.fixture(scope="module")
def office() -> Iterator[tuple[Rig, Repository]]:
    """Set up a site whose app is built from pushes and never deployed."""
    with pushing("git", 1, deploy="on_press", compiled=False) as set_up:
        yield set_up


def stages(place: Rig) -> dict[str, str]:
    """Return the stage of each commit's build."""
    return {
        one["commit"]: one["stage"] for one in json.loads(place.bigred("build", "list", "--json"))
    }


def test_queued_pushes_are_submitted_later_and_none_is_lost(
    office: tuple[Rig, Repository],
) -> None:
    place, repository = office
    place.stop()
    first = repository.push("one")
    assert "queued" in first.output
    place.start()
    assert f"{first.commit[:12]} submitted as shop build" in flushed(repository)
    assert flushed(repository) == "no commits are queued\n"
    wait_rarely(lambda: stages(place).get(first.commit) == "ready", 60, "it is ready")
    assert place.state().candidate is not None


class _Taker(BaseHTTPRequestHandler):
    """Accepts commits as the server does, and records them."""

    taken: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.taken.extend(one["commit"] for one in found["commits"])
        body = b'{"text": "submitted"}'
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_however_many_pushes_are_queued_all_are_submitted(
    repository: Repository, tmp_path: Path
) -> None:
    pushed = [("main", f"{number:040x}") for number in range(350)]
    Messenger(repository.central / "bigred-hook.json").submit(pushed, "ada")
    with HTTPServer(("127.0.0.1", 0), _Taker) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        install(place_of(Vcs.GIT, repository.central), url, "shop", tmp_path / "token")
        try:
            assert flushed(repository) == "submitted\n"
        finally:
            server.shutdown()
            thread.join(5)
    assert _Taker.taken == [commit for _, commit in pushed]
    assert waiting(repository) == 0


def test_a_frozen_server_accepts_nothing_and_loses_nothing(
    office: tuple[Rig, Repository],
) -> None:
    place, repository = office
    with place.frozen():
        first = repository.push("three")
        assert "no answer within 0.7 s" in first.output
    second = repository.push("four")
    text = submitted(repository, second)
    assert re.search(rf"{second.commit[:12]} (was already )?submitted as shop build", text)
    assert waiting(repository) == 0
    wait_rarely(lambda: stages(place).get(second.commit) == "ready", 60, "the newest is built")
    assert first.commit in stages(place)
