"""How often a node and its app are looked at: rarely while it serves, anew after each action."""

import asyncio
import contextlib
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bigred_server.artifacts.files import digest_of
from bigred_server.rollout.core.observation import HostLook
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import AdmissionSettings, MarkerSettings, NodeSettings
from bigred_server.testing.tomcat import FakeTomcat
from bigred_server.tomcat import node as node_module
from bigred_server.tomcat.local import LocalHost
from bigred_server.tomcat.node import Node
from bigred_server.tomcat.observed_node import ObservedNode
from bigred_server.tomcat.probe import Probe


@dataclass
class CountedHost(LocalHost):
    """A host of this machine that counts the looks at it."""

    looks: list[bool] = field(default_factory=list)

    async def look(self, *, answers: bool) -> HostLook:
        self.looks.append(answers)
        return await super().look(answers=answers)


def counted_host(folder: Path, running: Sequence[str] = ("true",)) -> CountedHost:
    war = folder / "webapps" / "shop.war"
    make_war(war, "1.0")
    command = ("true",)
    url = "http://127.0.0.1:1"
    settings = NodeSettings(url=url, war=war, stop=command, start=command, running=tuple(running))
    return CountedHost(settings)


def make_war(path: Path, version: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("WEB-INF/version", version)
    return digest_of(path)


@contextlib.asynccontextmanager
async def observed_on(host: LocalHost) -> AsyncIterator[tuple[ObservedNode, FakeTomcat]]:
    tomcat = FakeTomcat.of_release("1.0")
    async with asyncio.timeout(20), tomcat.listen() as url:
        marker = MarkerSettings(path="/shop/health")
        node = Node(host, None, Strategy.RESTART)
        with contextlib.closing(Probe(url, AdmissionSettings())) as probe:
            yield ObservedNode(node, probe, marker), tomcat


async def test_a_node_in_service_is_not_looked_at_again_at_once(tmp_path: Path) -> None:
    host = counted_host(tmp_path)
    async with observed_on(host) as (observed, tomcat):
        first = await observed.look([], in_service=True)
        count = len(host.looks), len(tomcat.asked)
        for _ in range(5):
            assert await observed.look([], in_service=True) == first
        assert (len(host.looks), len(tomcat.asked)) == count


async def test_a_node_is_looked_at_in_full_when_it_enters_or_leaves_service(tmp_path: Path) -> None:
    host = counted_host(tmp_path)
    async with observed_on(host) as (observed, _):
        for in_service in (False, False, True, False, True):
            count = len(host.looks)
            await observed.look([], in_service=in_service)
            assert len(host.looks) > count


async def test_a_node_in_service_whose_app_fails_is_looked_at_each_time(tmp_path: Path) -> None:
    host = counted_host(tmp_path)
    async with observed_on(host) as (observed, tomcat):
        tomcat.pages = {}
        for _ in range(3):
            count = len(tomcat.asked)
            await observed.look([], in_service=True)
            assert len(tomcat.asked) > count


async def test_after_an_action_a_node_in_service_is_looked_at_again(tmp_path: Path) -> None:
    digest = make_war(tmp_path / "new.war", "2.0")
    async with observed_on(counted_host(tmp_path)) as (observed, _):
        before, _answer = await observed.look([], in_service=True)
        assert before.kept == frozenset()
        await observed.node.fetch(tmp_path / "new.war", digest, frozenset())
        after, _answer = await observed.look([], in_service=True)
        assert after.kept == frozenset({digest})


async def test_an_action_that_ends_during_a_look_makes_the_next_look_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = counted_host(tmp_path)
    digest = make_war(tmp_path / "new.war", "2.0")
    async with observed_on(host) as (observed, _):
        look = host.look

        async def overtaken(*, answers: bool) -> HostLook:
            seen = await look(answers=answers)
            await observed.node.fetch(tmp_path / "new.war", digest, frozenset())
            return seen

        with monkeypatch.context() as patched:
            patched.setattr(host, "look", overtaken)
            await observed.look([], in_service=True)
        seen, _answer = await observed.look([], in_service=True)
        assert seen.kept == frozenset({digest})


async def test_a_tomcat_that_starts_is_seldom_asked_whether_it_runs(tmp_path: Path) -> None:
    host = counted_host(tmp_path)
    node = Node(host, None, Strategy.RESTART)

    async def questions_in(looks: int) -> int:
        host.looks.clear()
        assert all([(await node.look(answers=False)).running for _ in range(looks)])
        return host.looks.count(False)

    assert await questions_in(3) == 3
    await node.start(5)
    assert await questions_in(3) == 1
    await node.stop(5)
    assert await questions_in(3) == 3


async def test_a_tomcat_that_dies_as_it_starts_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = tmp_path / "alive"
    alive.touch()
    node = Node(counted_host(tmp_path, ("test", "-e", str(alive))), None, Strategy.RESTART)
    monkeypatch.setattr(node_module, "_RUNS_KEEPS_S", 0.0)
    await node.start(5)
    assert (await node.look(answers=False)).running
    alive.unlink()
    assert (await node.look(answers=False)).running is False


async def test_a_tomcat_that_answers_no_more_is_not_taken_to_run(tmp_path: Path) -> None:
    async with observed_on(counted_host(tmp_path, ("false",))) as (observed, tomcat):
        host, answer = await observed.look([], in_service=False)
        assert (host.running, answer.came) == (True, True)
        tomcat.closes = True
        host, answer = await observed.look([], in_service=False)
        assert (host.running, answer.came) == (False, False)
