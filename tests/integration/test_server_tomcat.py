"""A node: asking the app for its release, running the commands, swapping the WAR."""

import asyncio
import contextlib
import errno
import os
import stat
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.until import until

from bigred_broker.program import wait_until
from bigred_server.artifacts import war, war_check
from bigred_server.artifacts.files import digest_of
from bigred_server.errors import NodeError, ReleaseError
from bigred_server.model import disk_space
from bigred_server.model.release import Release, Stage
from bigred_server.model.war_limits import WarLimits
from bigred_server.rollout.core.observation import Answer
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import AdmissionSettings, MarkerSettings, NodeSettings
from bigred_server.testing.tomcat import FakeTomcat
from bigred_server.tomcat import kept_releases, local, probe
from bigred_server.tomcat.get_client import GetClient
from bigred_server.tomcat.hosts import Hosts
from bigred_server.tomcat.local import LocalHost
from bigred_server.tomcat.node import Node
from bigred_server.tomcat.observed_node import ObservedNode
from bigred_server.tomcat.paths import ReleasePaths
from bigred_server.tomcat.probe import Probe
from bigred_server.tomcat.question import Question

HEADER = MarkerSettings(path="/shop/health")


async def ask(
    tomcat: FakeTomcat,
    marker: MarkerSettings = HEADER,
    manifest: dict[str, str] | None = None,
) -> Answer:
    async with tomcat.listen() as url, asyncio.timeout(10):
        probed = Probe(url, AdmissionSettings())
        return await probed.answer([Question(marker)], manifest or {})


# --- the marker ----------------------------------------------------------------------------------


async def test_a_release_is_read_from_a_header() -> None:
    found = await ask(FakeTomcat.of_release(" 1.4.2 "))
    assert (found.came, found.ok, found.marker) == (True, True, "1.4.2")
    assert found.text == "/shop/health answers 200, release 1.4.2"


async def test_a_session_given_to_us_is_not_kept() -> None:
    tomcat = FakeTomcat(headers={"Set-Cookie": "JSESSIONID=1; Path=/"})
    async with tomcat.listen() as url, probe.client() as http:
        with contextlib.closing(GetClient(url)) as lean:
            for _ in range(2):
                await http.get(url + "/shop/health")
                await lean.get("/shop/health", 10)
    assert [head["cookie"] for head in tomcat.heads] == [None] * 4


async def test_a_header_that_is_missing_is_no_release() -> None:
    found = await ask(FakeTomcat())
    assert (found.ok, found.marker) == (True, "")
    assert found.text.endswith("release unknown")


@pytest.mark.parametrize(
    ("body", "pattern", "marker"),
    [
        (b"1.4.2\n", "", "1.4.2"),
        (b'{"version": "1.4.2"}', r'"version":\s*"([^"]+)"', "1.4.2"),
        (b"no version here", r"version=(\S+)", ""),
        (b"version=", r"version=(\d*)", ""),
        (b"a" * 1000, "", "a" * 500),
    ],
)
async def test_a_release_is_read_from_the_body(body: bytes, pattern: str, marker: str) -> None:
    marked = MarkerSettings.model_validate(
        {"path": "/shop/health", "read": "body", "pattern": pattern}
    )
    found = await ask(FakeTomcat(body=body), marked)
    assert found.marker == marker


@pytest.mark.parametrize(
    ("body", "marker"),
    [
        (b'{"app": {}, "build": {"version": "1.4.2", "name": "shop"}}', "1.4.2"),
        (b'{"build": {"version": 1.10}}', "1.10"),
        (b'{"build": {"version": 7}}', "7"),
        (b'{"build": {"version": true}}', ""),
        (b'{"build": {"version": null}}', ""),
        (b'{"build": {}}', ""),
        (b"{}", ""),
        (b"[]", ""),
        (b"<html>", ""),
        (b"", ""),
        (b"[" * 100_000, ""),
    ],
)
async def test_a_release_is_read_from_json(body: bytes, marker: str) -> None:
    marked = MarkerSettings.model_validate(
        {"path": "/shop/health", "read": "json", "pointer": "/build/version"}
    )
    found = await ask(FakeTomcat(body=body), marked)
    assert (found.ok, found.marker) == (True, marker)


async def ask_each(tomcat: FakeTomcat, *questions: Question) -> tuple[Answer, list[str]]:
    async with tomcat.listen() as url, asyncio.timeout(10):
        found = await Probe(url, AdmissionSettings()).answer(questions, {})
    return found, tomcat.asked


async def test_a_release_that_proves_itself_in_the_first_way_is_not_asked_again() -> None:
    other = Question(MarkerSettings(path="/new"), {"c1": "1.0"})
    found, asked = await ask_each(
        FakeTomcat.of_release("1.0"), Question(HEADER, {"1.0": "1.0"}), other
    )
    assert (found.ok, found.marker, asked) == (True, "1.0", ["/shop/health"])
    assert found.text == "/shop/health answers 200, release 1.0"


async def test_a_release_that_proves_itself_in_another_way_has_its_own_marker() -> None:
    tomcat = FakeTomcat(pages={"/new": 200}, headers={"X-Release": "c1"})
    other = Question(MarkerSettings(path="/new"), {"c1": "1.0"})
    found, asked = await ask_each(tomcat, Question(HEADER, {"1.0": "1.0"}), other)
    assert (found.ok, found.marker, asked) == (True, "1.0", ["/shop/health", "/new"])


async def test_an_answer_that_proves_nothing_says_what_was_wanted_and_what_was_seen() -> None:
    tomcat = FakeTomcat(pages={"/new": 200}, headers={"X-Release": "c2"})
    other = Question(MarkerSettings(path="/new"), {"c1": "1.0"})
    found, _ = await ask_each(tomcat, Question(HEADER, {"1.0": "1.0"}), other)
    assert not found.ok
    assert found.text == (
        "/shop/health answers 404, release c2 "
        "(wanted: status 200 and release '1.0' in the header X-Release of /shop/health); "
        "/new answers 200, release c2 "
        "(wanted: status 200 and release 'c1' in the header X-Release of /new)"
    )


async def test_a_node_that_does_not_answer_is_not_asked_in_another_way() -> None:
    other = Question(MarkerSettings(path="/new"), {"c1": "1.0"})
    found, asked = await ask_each(FakeTomcat(closes=True), Question(HEADER, {"1.0": "1.0"}), other)
    assert (found.came, asked) == (False, [])


async def test_a_release_is_read_from_the_manifest_if_the_app_answers_at_all() -> None:
    marked = MarkerSettings.model_validate(
        {"path": "/shop/health", "read": "manifest", "name": "Implementation-Version"}
    )
    manifest = {"Implementation-Version": "1.4.2"}
    assert (await ask(FakeTomcat(), marked, manifest)).marker == "1.4.2"
    broken = await ask(FakeTomcat(pages={"/shop/health": 500}), marked, manifest)
    assert (broken.came, broken.ok) == (True, False)
    assert not (await ask(FakeTomcat(closes=True), marked, manifest)).came


@pytest.mark.parametrize("status", [204, 302, 404, 500, 503])
async def test_a_status_other_than_the_expected_one_is_not_ok(status: int) -> None:
    found = await ask(FakeTomcat(pages={"/shop/health": status}))
    assert (found.came, found.ok) == (True, False)
    assert f"answers {status}" in found.text


async def test_a_node_without_a_listener_does_not_answer() -> None:
    async with FakeTomcat().listen() as url:
        pass
    found = await Probe(url, AdmissionSettings()).answer([Question(HEADER)], {})
    assert found == Answer(text=f"no answer from {url}: ConnectionRefusedError")


async def test_a_node_that_closes_without_an_answer_does_not_answer() -> None:
    assert not (await ask(FakeTomcat(closes=True))).came


async def test_an_app_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PROBE_DEADLINE_S", 0.1)
    assert not (await ask(FakeTomcat(hangs=True))).came


async def test_an_app_that_never_completes_its_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "PROBE_DEADLINE_S", 0.2)
    begun = time.monotonic()
    assert not (await ask(FakeTomcat(drip_s=0.05, body=b"x" * 200))).came
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    "headers", [{"Content-Encoding": "gzip"}, {"Content-Type": "text/html; charset=klingon"}]
)
async def test_an_unreadable_answer_does_not_crash(headers: dict[str, str]) -> None:
    marked = MarkerSettings.model_validate({"path": "/shop/health", "read": "body"})
    found = await ask(FakeTomcat(headers=headers, body=b"no gzip"), marked)
    assert found.marker in ("", "no gzip")


# --- a marker that changes between releases ------------------------------------------------------


async def test_the_way_back_is_not_lost_when_the_marker_changes(tmp_path: Path) -> None:
    old, new = MarkerSettings(path="/old"), MarkerSettings(path="/new", expects="commit")
    here = node(tmp_path)
    war_of(here).parent.mkdir()
    first, second = make_war(tmp_path / "1.war", "1.0"), make_war(tmp_path / "2.war", "1.1")
    known = [
        Release("shop", second, "1.1", "c2", Stage.LIVE, 2.0, commit="c2", proof=new),
        Release("shop", first, "1.0", "1.0", Stage.RETIRED, 1.0, proof=old),
    ]
    tomcat = FakeTomcat({"/old": 200}, {"X-Release": "1.0"})
    async with tomcat.listen() as url, asyncio.timeout(20):
        probed = Probe(url, AdmissionSettings())
        observed = ObservedNode(Node(here, None, Strategy.RESTART), probed, new)

        async def proven() -> str:
            _, answer = await observed.look(known, in_service=False)
            return answer.marker if answer.ok else answer.text

        await put(here, tmp_path / "1.war", first)
        assert await proven() == "1.0"
        # The next release answers in another place and with its commit: seen at the first look.
        tomcat.pages, tomcat.headers = {"/new": 200}, {"X-Release": "c2"}
        await put(here, tmp_path / "2.war", second)
        assert await proven() == "c2"
        # And back again.
        tomcat.pages, tomcat.headers = {"/old": 200}, {"X-Release": "1.0"}
        await put(here, tmp_path / "1.war", first)
        assert await proven() == "1.0"
        # What answers for another release proves nothing.
        await put(here, tmp_path / "2.war", second)
        assert "wanted: status 200 and release 'c2'" in await proven()


async def test_a_marker_that_is_corrected_holds_for_releases_submitted_before(
    tmp_path: Path,
) -> None:
    wrong, right = MarkerSettings(path="/helth"), MarkerSettings(path="/health")
    here, digest = node(tmp_path), make_war(tmp_path / "1.war")
    known = [Release("shop", digest, "1.0", "1.0", Stage.READY, 1.0, proof=wrong)]
    war_of(here).parent.mkdir()
    await put(here, tmp_path / "1.war", digest)
    tomcat = FakeTomcat({"/health": 200}, {"X-Release": "1.0"})
    async with tomcat.listen() as url, asyncio.timeout(20):
        probed = Probe(url, AdmissionSettings())
        for marker, is_proven in ((wrong, False), (right, True)):
            observed = ObservedNode(Node(here, None, Strategy.RESTART), probed, marker)
            _, answer = await observed.look(known, in_service=False)
            assert (answer.ok and answer.marker == "1.0") is is_proven


# --- admission -----------------------------------------------------------------------------------


async def admit(tomcat: FakeTomcat, **these: object) -> str:
    admission = AdmissionSettings.model_validate(these)
    async with tomcat.listen() as url, asyncio.timeout(10):
        return await Probe(url, admission).admit()


async def test_smoke_tests_require_a_status_below_400() -> None:
    tomcat = FakeTomcat(pages={"/a": 200, "/b": 302, "/c": 404})
    assert await admit(tomcat, smoke=["/a", "/b"]) == "2 smoke tests passed"
    with pytest.raises(NodeError, match="smoke test /c failed: status 404"):
        await admit(tomcat, smoke=["/a", "/c", "/b"])
    assert tomcat.asked == ["/a", "/b", "/a", "/c"]


async def test_a_smoke_test_without_an_answer_fails() -> None:
    with pytest.raises(NodeError, match="smoke test /a failed: no answer"):
        await admit(FakeTomcat(closes=True), smoke=["/a"])


async def test_a_page_that_answers_200_with_an_error_text_fails_its_smoke_test() -> None:
    tomcat = FakeTomcat(pages={"/pay": 200}, body=b"<p>Internal error</p>")
    wanted = {"path": "/pay", "text": "Pay now"}
    with pytest.raises(
        NodeError,
        match="smoke test /pay failed: wanted the text 'Pay now', seen: '<p>Internal error</p>'",
    ):
        await admit(tomcat, expect={"pay": wanted})
    assert await admit(tomcat, expect={"pay": {**wanted, "text": "<p>"}}) == "1 smoke test passed"


async def test_a_header_and_json_are_checked_in_a_smoke_test() -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    tomcat = FakeTomcat(pages={"/pay": 200}, headers=headers, body=b'{"status": "DOWN"}')
    wanted = {"path": "/pay", "headers": {"content-TYPE": "application/json"}}
    assert await admit(tomcat, expect={"pay": {**wanted, "values": {"/status": "DOWN"}}})
    with pytest.raises(NodeError, match='wanted "UP" at /status of the JSON'):
        await admit(tomcat, expect={"pay": {**wanted, "values": {"/status": "UP"}}})


@pytest.mark.parametrize("late", [FakeTomcat(hangs=True), FakeTomcat({"/a": 200}, drip_s=0.05)])
async def test_a_smoke_test_that_takes_too_long_fails(late: FakeTomcat) -> None:
    with pytest.raises(NodeError, match=r"smoke test /a failed: no whole answer within 0\.2 s"):
        await admit(late, expect={"a": {"path": "/a", "limit_s": 0.2}})


async def test_a_warm_up_sends_the_configured_number_of_requests() -> None:
    tomcat = FakeTomcat(pages={"/a": 200, "/b": 404})
    seen = await admit(tomcat, warmup=["/a", "/b"], warmup_requests=10)
    assert seen == "0 smoke tests passed, 0 of 10 warm-up requests failed"
    assert sorted(tomcat.asked) == ["/a"] * 5 + ["/b"] * 5


async def test_a_warm_up_with_too_many_errors_fails() -> None:
    tomcat = FakeTomcat(pages={"/a": 200, "/b": 500})
    more = {"warmup": ["/a", "/b"], "warmup_requests": 10}
    assert await admit(tomcat, warmup_errors=0.5, **more)
    with pytest.raises(NodeError, match="5 of 10 warm-up requests failed"):
        await admit(tomcat, warmup_errors=0.49, **more)


# --- commands ------------------------------------------------------------------------------------


def script(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "command"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return (str(path),)


def node(folder: Path, command: tuple[str, ...] = ("true",)) -> LocalHost:
    return LocalHost(
        NodeSettings(
            url="http://127.0.0.1:1",
            war=folder / "webapps" / "shop.war",
            stop=command,
            start=command,
            running=command,
        )
    )


async def test_a_command_returns_its_code_and_its_output(tmp_path: Path) -> None:
    result = await local.run(script(tmp_path, "echo out; echo err >&2; exit 3"), 5)
    assert result == (3, "out\nerr")


async def test_only_the_end_of_a_long_output_is_kept(tmp_path: Path) -> None:
    _, output = await local.run(script(tmp_path, "seq 1 100000"), 10)
    assert len(output) <= 800
    assert output.endswith("\n100000")


async def test_binary_output_does_not_crash(tmp_path: Path) -> None:
    assert (await local.run(script(tmp_path, "printf '\\377\\376'"), 5))[0] == 0


async def test_a_child_that_keeps_the_output_open_is_not_awaited(tmp_path: Path) -> None:
    begun = time.monotonic()
    command = script(tmp_path, f"sleep 30 & echo $! > {tmp_path}/pid; echo started")
    assert await local.run(command, 10) == (0, "started")
    assert time.monotonic() - begun < 5
    os.kill(int((tmp_path / "pid").read_text()), 9)


async def test_the_deadline_ends_a_command_with_all_its_children(tmp_path: Path) -> None:
    command = script(tmp_path, f"sleep 30 & echo $! > {tmp_path}/pid; wait")
    with pytest.raises(NodeError, match=r"did not finish within 0\.3 s"):
        await local.run(command, 0.3)
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: _is_gone(child), 5, "the child is gone")


async def test_a_command_that_ends_exactly_at_its_deadline_does_not_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = os.killpg

    def ended_already(group: int, number: int) -> None:
        kill(group, number)
        raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", ended_already)
    with pytest.raises(NodeError, match="did not finish"):
        await local.run(script(tmp_path, "sleep 30"), 0.1)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def test_a_missing_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="/no/such can't be run: No such file"):
        await local.run(("/no/such",), 5)
    assert (await node(tmp_path, ("/no/such",)).look(answers=False)).running is None


async def test_a_failing_command_is_reported_with_its_output(tmp_path: Path) -> None:
    broken = node(tmp_path, script(tmp_path, "echo no port; exit 1"))
    with pytest.raises(NodeError, match="ended with 1: no port"):
        await broken.start(5)
    with pytest.raises(NodeError, match="ended with 1: no port"):
        await broken.stop(5)


@pytest.mark.parametrize(("code", "running"), [(0, True), (1, False), (3, False)])
async def test_the_exit_code_says_whether_tomcat_runs(
    tmp_path: Path, code: int, running: bool
) -> None:
    here = node(tmp_path, script(tmp_path, f"exit {code}"))
    assert (await here.look(answers=False)).running is running


# --- the WAR -------------------------------------------------------------------------------------


def make_war(path: Path, version: str = "1.0.0") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nVersion: {version}\n")
        archive.writestr("WEB-INF/web.xml", "<web-app/>")
    return digest_of(path)


def war_of(here: LocalHost) -> Path:
    assert here.settings.war
    return here.settings.war


def kept_folder(here: LocalHost) -> Path:
    assert here.settings.kept_folder
    return here.settings.kept_folder


def kept_at(here: LocalHost, digest: str) -> Path:
    return Path(here.kept(digest))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def put(here: LocalHost, source: Path, digest: str) -> str:
    await here.fetch(source, digest, frozenset())
    return await here.swap(digest)


async def test_a_war_is_swapped_and_its_unpacked_files_are_removed(tmp_path: Path) -> None:
    here = node(tmp_path)
    target = war_of(here)
    make_war(target)
    target.chmod(0o640)
    (tmp_path / "webapps" / "shop" / "WEB-INF").mkdir(parents=True)
    (tmp_path / "webapps" / "ROOT").mkdir()
    digest = make_war(tmp_path / "new.war", "1.1.0")
    assert (await here.look(answers=True)).manifest["Version"] == "1.0.0"
    assert digest[:12] in await put(here, tmp_path / "new.war", digest)
    seen = await here.look(answers=True)
    assert (seen.digest, seen.manifest["Version"]) == (digest, "1.1.0")
    assert names_in(target.parent) == ["ROOT", "shop.war"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


async def test_a_first_war_can_be_read_by_tomcat(tmp_path: Path) -> None:
    here = node(tmp_path)
    war_of(here).parent.mkdir()
    assert (await here.look(answers=True)).digest == ""
    await put(here, tmp_path / "new.war", make_war(tmp_path / "new.war"))
    assert stat.S_IMODE(war_of(here).stat().st_mode) == 0o644


async def test_a_swap_may_be_repeated(tmp_path: Path) -> None:
    here = node(tmp_path)
    digest = make_war(tmp_path / "new.war")
    war_of(here).parent.mkdir()
    for _ in range(2):
        await put(here, tmp_path / "new.war", digest)
    assert (await here.look(answers=True)).digest == digest


async def test_leftovers_of_an_interrupted_swap_are_removed(tmp_path: Path) -> None:
    here = node(tmp_path)
    digest = make_war(tmp_path / "new.war")
    folder = war_of(here).parent
    folder.mkdir()
    (folder / ".shop.war.bigred-abc").write_bytes(b"half")
    (folder / ".other.war.bigred-abc").write_bytes(b"another app's")
    await put(here, tmp_path / "new.war", digest)
    assert names_in(folder) == [".other.war.bigred-abc", "shop.war"]


async def test_bytes_with_another_digest_are_not_put_in_place(tmp_path: Path) -> None:
    here = node(tmp_path)
    digest = make_war(war_of(here))
    (war_of(here).parent / "shop").mkdir()
    make_war(tmp_path / "new.war", "9")
    with pytest.raises(NodeError, match="has SHA-256"):
        await here.fetch(tmp_path / "new.war", "0" * 64, frozenset())
    assert names_in(kept_folder(here)) == []
    with pytest.raises(NodeError, match="does not exist; fetch the release first"):
        await here.swap("0" * 64)
    assert (await here.look(answers=True)).digest == digest
    assert names_in(war_of(here).parent) == ["shop", "shop.war"]


async def test_a_corrupt_kept_release_is_fetched_again_and_not_put_in_place(
    tmp_path: Path,
) -> None:
    here = node(tmp_path)
    old = make_war(war_of(here))
    digest = make_war(tmp_path / "new.war", "1.1.0")
    await here.fetch(tmp_path / "new.war", digest, frozenset())
    kept_at(here, digest).write_bytes(b"rotten")
    with pytest.raises(NodeError, match="it was deleted, fetch it again"):
        await here.swap(digest)
    seen = await here.look(answers=True)
    assert (seen.digest, seen.kept) == (old, frozenset())
    assert names_in(war_of(here).parent) == ["shop.war"]
    await here.fetch(tmp_path / "new.war", digest, frozenset())
    kept_at(here, digest).write_bytes(b"rotten")
    assert (await put(here, tmp_path / "new.war", digest)).endswith(digest[:12])


async def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    here = node(tmp_path)
    digest = make_war(tmp_path / "new.war")
    await here.fetch(tmp_path / "new.war", digest, frozenset())
    with pytest.raises(NodeError, match=r"shop\.war could not be replaced: .*No such file"):
        await here.swap(digest)
    (tmp_path / "webapps").write_text("a file")
    with pytest.raises(NodeError, match="could not be replaced"):
        await here.swap(digest)


async def test_a_folder_for_kept_releases_that_cannot_be_created_is_an_error(
    tmp_path: Path,
) -> None:
    here = node(tmp_path)
    digest = make_war(tmp_path / "new.war")
    kept_folder(here).parent.write_text("a file")
    with pytest.raises(NodeError, match=r"could not be kept: .*Not a directory"):
        await here.fetch(tmp_path / "new.war", digest, frozenset())
    assert "can't be read" in (await here.look(answers=True)).problem


async def test_an_unreadable_war_is_unknown_not_missing(tmp_path: Path) -> None:
    here = node(tmp_path)
    war_of(here).mkdir(parents=True)
    seen = await here.look(answers=True)
    assert seen.digest is None
    assert "shop.war can't be read: Is a directory" in seen.problem


@pytest.mark.parametrize("harm", ["cut short", "overwritten", "no zip", "locked", "foreign"])
async def test_a_damaged_war_in_place_has_a_digest_and_no_manifest(
    tmp_path: Path, harm: str
) -> None:
    here = node(tmp_path)
    damage(war_of(here), harm)
    seen = await here.look(answers=True)
    assert (seen.digest, seen.manifest) == (digest_of(war_of(here)), {})


async def test_a_war_is_read_again_only_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = node(tmp_path)
    make_war(war_of(here))
    first = await here.look(answers=True)
    monkeypatch.setattr(local, "digest_of", lambda path: "read again")
    assert (await here.look(answers=True)).digest == first.digest
    times = war_of(here).stat()
    with war_of(here).open("r+b") as file:
        file.write(b"X")
    os.utime(war_of(here), ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (await here.look(answers=True)).digest == "read again"


# --- kept releases -------------------------------------------------------------------------------


async def test_the_releases_to_keep_stay_and_others_and_leftovers_are_removed(
    tmp_path: Path,
) -> None:
    here = node(tmp_path)
    digests = [make_war(tmp_path / f"{number}.war", str(number)) for number in range(3)]
    first, second, third = digests
    await here.fetch(tmp_path / "0.war", first, frozenset())
    await here.fetch(tmp_path / "1.war", second, frozenset({first}))
    assert (await here.look(answers=True)).kept == frozenset({first, second})
    folder = kept_folder(here)
    left_behind = ReleasePaths(war_of(here), folder).fetching + "abc"
    for name in (left_behind, ".000000000000.bigred-another-node's", "a-person's.war"):
        (folder / name).write_bytes(b"half")
    await here.fetch(tmp_path / "2.war", third, frozenset({second, "f" * 64}))
    assert (await here.look(answers=True)).kept == frozenset({second, third})
    assert left_behind not in names_in(folder)
    assert len(names_in(folder)) == 4


async def test_a_kept_release_is_not_copied_again(tmp_path: Path) -> None:
    here = node(tmp_path)
    digest = make_war(tmp_path / "new.war")
    await here.fetch(tmp_path / "new.war", digest, frozenset())
    before = kept_at(here, digest).stat().st_ino
    assert "is already kept" in await here.fetch(tmp_path / "gone.war", digest, frozenset())
    assert kept_at(here, digest).stat().st_ino == before


async def test_a_release_without_space_is_refused_before_a_byte_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = node(tmp_path)
    digest = make_war(tmp_path / "new.war")
    monkeypatch.setattr(disk_space, "SPARE_BYTES", 1 << 60)
    said = (
        r"MiB free; .* MiB are needed: .* to keep the release, .* to spare; free some space there"
    )
    with pytest.raises(NodeError, match=said):
        await here.fetch(tmp_path / "new.war", digest, frozenset())
    assert names_in(kept_folder(here)) == []


async def test_a_disk_that_fails_in_mid_swap_leaves_the_old_war_and_no_debris(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = node(tmp_path)
    old = make_war(war_of(here))
    digest = make_war(tmp_path / "new.war", "1.1.0")
    await here.fetch(tmp_path / "new.war", digest, frozenset())

    def fails(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(kept_releases, "sync", fails)
    with pytest.raises(NodeError, match=r"could not be replaced: .*Input/output error"):
        await here.swap(digest)
    assert (await here.look(answers=True)).digest == old
    assert names_in(war_of(here).parent) == ["shop.war"]
    other = make_war(tmp_path / "other.war", "1.2.0")
    with pytest.raises(NodeError, match=r"could not be kept: .*Input/output error"):
        await here.fetch(tmp_path / "other.war", other, frozenset({digest}))
    assert names_in(kept_folder(here)) == [f"{digest}.war"]


async def test_a_cancelled_swap_changes_nothing_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = node(tmp_path)
    old = make_war(war_of(here))
    (war_of(here).parent / "shop").mkdir()
    digest = make_war(tmp_path / "new.war", "1.1.0")
    await here.fetch(tmp_path / "new.war", digest, frozenset())
    copying, go_on = threading.Event(), threading.Event()

    def slow(path: Path) -> None:
        copying.set()
        assert go_on.wait(10)

    monkeypatch.setattr(kept_releases, "sync", slow)
    swap = asyncio.create_task(here.swap(digest))
    assert await asyncio.to_thread(copying.wait, 10)
    swap.cancel()
    with pytest.raises(asyncio.CancelledError):
        await swap
    go_on.set()
    folder = war_of(here).parent
    gone = lambda: not any(".bigred-" in name for name in names_in(folder))  # noqa: E731
    await until(gone, 10, "the thread has ended")
    assert names_in(folder) == ["shop", "shop.war"]
    assert (await here.look(answers=True)).digest == old


async def test_a_cancelled_command_does_not_do_its_work_later(tmp_path: Path) -> None:
    command = script(tmp_path, f"sleep 30 & echo $! > {tmp_path}/pid; wait")
    running = asyncio.create_task(local.run(command, 60))
    pid = tmp_path / "pid"
    begun = lambda: pid.exists() and pid.read_text() != ""  # noqa: E731
    await until(begun, 5, "it runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    wait_until(lambda: _is_gone(int(pid.read_text())), 5, "the child is gone")


async def test_an_unconfigured_command_is_requested(tmp_path: Path) -> None:
    here = LocalHost(NodeSettings(url="http://127.0.0.1:1", war=tmp_path / "webapps" / "shop.war"))
    with pytest.raises(NodeError, match="has no command 'stop'"):
        await here.stop(5)
    assert (await here.look(answers=False)).running is None


def test_only_a_node_reached_by_more_than_http_has_a_host() -> None:
    node = NodeSettings.model_validate(
        {
            "url": "http://127.0.0.1:1",
            "reach": "manager",
            "manager": {"user": "u", "password_file": "/p"},
        }
    )
    assert Hosts().of(node) is None
    with pytest.raises(NodeError, match="has no war"):
        LocalHost(node)


def damage(path: Path, harm: str) -> None:
    """Write a WAR with an unreadable manifest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Version: 1\n" * 500)
    data = bytearray(path.read_bytes())
    start = data.index(b"MANIFEST.MF") + len(b"MANIFEST.MF")
    entry = data.rindex(b"PK\x01\x02")
    if harm == "cut short":
        data = data[: start + 10]
    elif harm == "overwritten":
        data[start + 2 : start + 12] = b"\xff" * 10
    elif harm == "no zip":
        data = bytearray(b"hello")
    elif harm == "locked":
        data[6] |= 1
        data[entry + 8] |= 1
    else:
        data[8:10] = data[entry + 10 : entry + 12] = (99).to_bytes(2, "little")
    path.write_bytes(data)


@pytest.mark.parametrize("harm", ["cut short", "overwritten", "no zip", "locked", "foreign"])
def test_a_damaged_war_is_refused_with_the_reason(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "x.war"
    damage(path, harm)
    with pytest.raises(ReleaseError, match=r"x\.war: not a (valid )?WAR, "):
        war_check.check(path, WarLimits())


@settings(max_examples=200, derandomize=True)
@given(st.data())
def test_no_damage_to_a_war_causes_a_crash(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.war"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("META-INF/MANIFEST.MF", "Version: 1\n" * 9)
            archive.writestr("WEB-INF/index.html", "hello" * 9)
        harmed = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            harmed[data.draw(st.integers(0, len(harmed) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(harmed)
        with contextlib.suppress(ReleaseError):
            war_check.check(path, WarLimits())
        assert isinstance(war.manifest(path), dict)


def test_a_sound_war_is_accepted(tmp_path: Path) -> None:
    make_war(tmp_path / "x.war")
    war_check.check(tmp_path / "x.war", WarLimits())


def test_a_missing_file_an_empty_zip_and_a_folder_are_no_wars(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="no such file"):
        war_check.check(tmp_path / "x.war", WarLimits())
    with pytest.raises(ReleaseError, match="no such file"):
        war_check.check(tmp_path, WarLimits())
    with zipfile.ZipFile(tmp_path / "empty.war", "w"):
        pass
    with pytest.raises(ReleaseError, match="the zip is empty"):
        war_check.check(tmp_path / "empty.war", WarLimits())


def test_a_manifests_main_section_is_read_with_continued_lines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.war"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "META-INF/MANIFEST.MF",
            "Manifest-Version: 1.0\r\n"
            "Implementation-Version: 1.4.2-with-a-very-long-name-that-goes-on-and-o\r\n"
            " n-and-\r\n"
            " ends\r\n"
            "Empty:\r\n"
            "\r\n"
            "Name: some/class\r\n"
            "Implementation-Version: another\r\n",
        )
    assert war.manifest(path) == {
        "Manifest-Version": "1.0",
        "Implementation-Version": "1.4.2-with-a-very-long-name-that-goes-on-and-on-and-ends",
        "Empty": "",
    }


def test_a_war_without_a_manifest_says_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.war", "w") as archive:
        archive.writestr("index.html", "")
    assert war.manifest(tmp_path / "x.war") == {}
    assert war.manifest(tmp_path / "none.war") == {}
