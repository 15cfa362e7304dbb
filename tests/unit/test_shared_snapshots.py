"""One reading of a HAProxy for everybody who asks, and never one that began too early."""

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.support.until import until

from bigred_server.errors import HaproxyAwayError
from bigred_server.haproxy.shared_snapshots import SharedSnapshots
from bigred_server.haproxy.snapshot import Snapshot
from bigred_server.haproxy.tables import Process, Table

DEADLINE_S = 5.0
EMPTY = Table((), {}, {})


@dataclass
class Readings:
    """What a test lets a HAProxy answer; `begun`: the addresses, in the order of the readings."""

    begun: list[str] = field(default_factory=list)
    answered: dict[str, asyncio.Event] = field(default_factory=dict)
    broken: bool = False

    async def read(self, address: str) -> Snapshot:
        self.begun.append(address)
        number = len(self.begun)
        if address in self.answered:
            await self.answered[address].wait()
        if self.broken:
            raise HaproxyAwayError(f"reading {number} failed")
        return Snapshot(address, "", Process(number, "", ""), EMPTY, EMPTY)

    def hang(self, address: str) -> None:
        self.answered[address] = asyncio.Event()

    async def began(self, count: int) -> None:
        await until(lambda: len(self.begun) == count, DEADLINE_S, f"{count} readings have begun")


def pid(snapshot: Snapshot) -> int:
    return snapshot.process.pid


async def test_those_who_ask_at_the_same_time_share_a_reading() -> None:
    readings = Readings()
    shared = SharedSnapshots(readings.read)
    found = await asyncio.gather(*(shared.read("/a") for _ in range(50)))
    assert {pid(one) for one in found} == {1}


async def test_who_asks_during_a_reading_gets_the_next_one() -> None:
    readings = Readings()
    readings.hang("/a")
    shared = SharedSnapshots(readings.read)
    first = asyncio.create_task(shared.read("/a"))
    await readings.began(1)
    later = [asyncio.create_task(shared.read("/a")) for _ in range(5)]
    readings.answered["/a"].set()
    assert pid(await first) == 1
    assert {pid(await one) for one in later} == {2}


async def test_an_error_is_for_all_who_shared_the_reading_and_nobody_after_them() -> None:
    readings = Readings(broken=True)
    shared = SharedSnapshots(readings.read)
    found = await asyncio.gather(*(shared.read("/a") for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in found] == 3 * ["reading 1 failed"]
    readings.broken = False
    assert pid(await shared.read("/a")) == 2


async def test_who_gives_up_does_not_end_the_reading_of_others() -> None:
    readings = Readings()
    readings.hang("/a")
    shared = SharedSnapshots(readings.read)
    impatient, patient = (asyncio.create_task(shared.read("/a")) for _ in range(2))
    await readings.began(1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    readings.answered["/a"].set()
    assert pid(await patient) == 1


async def test_a_haproxy_that_hangs_delays_nobody_at_another_one() -> None:
    readings = Readings()
    readings.hang("/hung")
    shared = SharedSnapshots(readings.read)
    hung = asyncio.create_task(shared.read("/hung"))
    await readings.began(1)
    async with asyncio.timeout(DEADLINE_S):
        assert [pid(await shared.read("/well")) for _ in range(3)] == [2, 3, 4]
    assert not hung.done()
    readings.answered["/hung"].set()
    await hung


async def test_a_recent_reading_is_used_again_until_it_is_too_old() -> None:
    readings, now_s = Readings(), 100.0
    shared = SharedSnapshots(readings.read, lambda: now_s)
    assert pid(await shared.recent("/a", 0.5)) == 1
    now_s += 0.5
    assert pid(await shared.recent("/a", 0.5)) == 1
    assert pid(await shared.read("/a")) == 2
    now_s += 0.6
    assert pid(await shared.recent("/a", 0.5)) == 3
