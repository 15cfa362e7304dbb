"""The lookout: it wakes the loop when a node changes, and never later than it is told to rest."""

import asyncio
from dataclasses import dataclass, field, replace

from bigred_server.rollout.core.action import Action
from bigred_server.rollout.core.observation import Admin, NodeLook, ServerLook
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.loop.lookout import Lookout

A, B = NodeLook("a"), NodeLook("b")


@dataclass
class ChangingFleet:
    """Nodes that change when a test says so; `watched`: which are being watched now."""

    changes: dict[str, asyncio.Event] = field(default_factory=dict)
    watched: list[str] = field(default_factory=list)

    async def look(self, *, deep: bool, recent: bool = False) -> FleetLook:
        raise AssertionError(deep)

    async def act(self, action: Action) -> str:
        raise AssertionError(action)

    def rest(self) -> None:
        """Nothing is open."""

    async def until_changed(self, look: NodeLook) -> None:
        self.watched.append(look.name)
        try:
            await self.changes.setdefault(look.name, asyncio.Event()).wait()
        finally:
            self.watched.remove(look.name)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_node_that_changes_wakes_the_loop_once() -> None:
    fleet, woken = ChangingFleet(), list[int]()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        lookout = Lookout(fleet, tasks, lambda: woken.append(1))
        lookout.watch([A, B])
        await _turns()
        assert not woken
        fleet.changes["b"].set()
        await _turns()
        assert woken == [1]
        lookout.rest()


async def test_only_the_nodes_of_the_last_look_are_watched() -> None:
    fleet = ChangingFleet()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        lookout = Lookout(fleet, tasks, lambda: None)
        lookout.watch([A])
        await _turns()
        lookout.watch([B])
        await _turns()
        assert fleet.watched == ["b"]
        lookout.rest()
        await _turns()
        assert fleet.watched == []


async def test_a_hint_that_was_a_mistake_is_not_repeated_until_the_node_changes() -> None:
    fleet, woken = ChangingFleet(), list[int]()
    fleet.changes["a"] = asyncio.Event()
    fleet.changes["a"].set()
    busy = NodeLook("a", pool=ServerLook(Admin.MAINT, in_flight=2))
    fewer = replace(busy, pool=replace(busy.pool, in_flight=1))
    idle = replace(busy, pool=replace(busy.pool, in_flight=0))
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        lookout = Lookout(fleet, tasks, lambda: woken.append(1))
        for look, times in (
            (busy, 1),
            (busy, 1),
            (fewer, 1),
            (idle, 2),
            (busy, 3),
            (None, 3),
            (busy, 4),
        ):
            lookout.watch([look] if look else [])
            await _turns()
            assert len(woken) == times


async def test_a_bug_in_a_hint_does_not_stop_the_loop() -> None:
    class Broken(ChangingFleet):
        async def until_changed(self, look: NodeLook) -> None:
            raise UnicodeError("label too long")

    woken = list[int]()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        lookout = Lookout(Broken(), tasks, lambda: woken.append(1))
        lookout.watch([A, B])
        await _turns()
    assert woken == []
