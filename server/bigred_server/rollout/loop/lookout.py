"""The lookout: watches the nodes that a deployment waits for, and wakes the loop at a change.

It only makes the next look come sooner than the next tick would; it decides nothing.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bigred_server.rollout.core.observation import NodeLook
from bigred_server.rollout.core.ports import Fleet


@dataclass
class Lookout:
    """Watches nodes as tasks of a group, from one look to the next."""

    fleet: Fleet
    tasks: asyncio.TaskGroup
    wake: Callable[[], None]
    _watching: list[asyncio.Task[None]] = field(default_factory=list)

    def watch(self, looks: Iterable[NodeLook]) -> None:
        """Wake the loop as soon as one of these nodes seems to be other than in its look."""
        self.rest()
        self._watching = [self.tasks.create_task(self._watch(look)) for look in looks]

    def rest(self) -> None:
        """Watch no node any more."""
        for task in self._watching:
            task.cancel()
        self._watching = []

    async def _watch(self, look: NodeLook) -> None:
        await self.fleet.until_changed(look)
        self.wake()
