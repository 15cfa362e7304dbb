"""Connections to nodes between two looks: kept to those in service alone."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.support.until import until

from bigred_server.model.marker import MarkerSettings
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import AdmissionSettings
from bigred_server.testing.tomcat import FakeTomcat
from bigred_server.tomcat import observed_node
from bigred_server.tomcat.node import Node
from bigred_server.tomcat.observed_node import ObservedNode
from bigred_server.tomcat.probe import Probe

DEADLINE_S = 5.0


@dataclass
class CountingTomcat(FakeTomcat):
    """A Tomcat that counts its connections: all, and those that are open."""

    opened: int = 0
    open: int = 0

    async def _talk(self, reader: object, writer: object) -> None:
        self.opened += 1
        self.open += 1
        try:
            await super()._talk(reader, writer)  # type: ignore[arg-type]
        finally:
            self.open -= 1


@dataclass
class Observed:
    """A node that is looked at, and its Tomcat."""

    tomcat: CountingTomcat
    node: ObservedNode

    async def look(self, *, in_service: bool) -> bool:
        return (await self.node.look([], in_service=in_service))[1].ok

    async def closed(self) -> None:
        await until(lambda: self.tomcat.open == 0, DEADLINE_S, "the connection is closed")


@pytest.fixture
async def observed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Observed]:
    monkeypatch.setattr(observed_node, "_KEEPS_S", 0.0)
    tomcat = CountingTomcat(headers={"X-Release": "1.0.0"})
    async with tomcat.listen() as url:
        asking = Probe(url, AdmissionSettings())
        with contextlib.closing(asking):
            node = Node(None, None, Strategy.RESTART)
            yield Observed(tomcat, ObservedNode(node, asking, MarkerSettings(path="/shop/health")))


async def test_a_node_in_service_is_asked_over_one_connection(observed: Observed) -> None:
    assert [await observed.look(in_service=True) for _ in range(5)] == 5 * [True]
    assert (observed.tomcat.opened, len(observed.tomcat.asked)) == (1, 5)


async def test_no_connection_is_left_to_a_node_that_leaves_service(observed: Observed) -> None:
    assert await observed.look(in_service=True)
    assert await observed.look(in_service=False)
    await observed.closed()


async def test_a_connection_that_tomcat_has_closed_is_opened_again(observed: Observed) -> None:
    assert await observed.look(in_service=True)
    observed.tomcat.closes = True
    assert await observed.look(in_service=True)  # the last answer on this connection
    await observed.closed()
    observed.tomcat.closes = False
    assert await observed.look(in_service=True)
    assert observed.tomcat.opened == 2
