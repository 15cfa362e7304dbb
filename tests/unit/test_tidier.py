"""The store is tidied once for all deployments that end at about the same time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import pytest
from tests.support.until import until

from bigred_server.artifacts import tidier as module
from bigred_server.artifacts.retention import Retention
from bigred_server.artifacts.tidier import Tidier
from bigred_server.errors import ReleaseError

DEADLINE_S = 5.0


@dataclass
class Store:
    """What is pruned; `times`: how often. It `fails` the next time."""

    times: int = 0
    fails: bool = False

    async def tidy(self) -> None:
        self.times += 1
        if self.fails:
            self.fails = False
            raise ReleaseError("the disk is read-only")


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Store, Tidier]]:
    monkeypatch.setattr(module, "_PAUSE_S", 0.05)
    store = Store()
    tidier = Tidier(cast(Retention, store))
    task = asyncio.create_task(tidier.run())
    yield store, tidier
    task.cancel()


async def test_nothing_is_pruned_before_a_deployment_has_ended(
    running: tuple[Store, Tidier],
) -> None:
    store, tidier = running
    for _ in range(3):
        await asyncio.sleep(0)
    assert store.times == 0
    await tidier.want()
    await until(lambda: store.times == 1, DEADLINE_S, "the store is pruned")


async def test_many_that_end_together_are_tidied_up_after_once(
    running: tuple[Store, Tidier],
) -> None:
    store, tidier = running
    await tidier.want()
    await until(lambda: store.times == 1, DEADLINE_S, "the store is pruned")
    for _ in range(50):
        await tidier.want()
    await until(lambda: store.times == 2, DEADLINE_S, "the store is pruned again")


async def test_a_failure_is_not_the_last_time(running: tuple[Store, Tidier]) -> None:
    store, tidier = running
    store.fails = True
    await tidier.want()
    await until(lambda: store.times == 1, DEADLINE_S, "it has failed")
    await tidier.want()
    await until(lambda: store.times == 2, DEADLINE_S, "the store is pruned")
