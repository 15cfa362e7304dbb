"""The lookout: watches the nodes that a deployment waits for, and wakes the loop at a change.

It only makes the next look come sooner than the next tick would; it decides nothing.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from bigred_server.rollout.core.observation import NodeLook
from bigred_server.rollout.core.ports import Fleet

log = structlog.get_logger(__name__)

_State = tuple[object, ...]


@dataclass
class Lookout:
    """Watches nodes as tasks of a group, from one look to the next.

    A hint after which the next look shows nothing new was a mistake, and would be repeated at once:
    until the node is seen to change, the ticks have to do.
    """

    fleet: Fleet
    tasks: asyncio.TaskGroup
    wake: Callable[[], None]
    _watching: list[asyncio.Task[None]] = field(default_factory=list)
    _hinted: dict[str, _State] = field(default_factory=dict)

    def watch(self, looks: Iterable[NodeLook]) -> None:
        """Wake the loop as soon as one of these nodes seems to be other than in its look."""
        self.rest()
        states = {look.name: (_state(look), look) for look in looks}
        hinted = {
            name: state for name, (state, _) in states.items() if self._hinted.get(name) == state
        }
        self._hinted = hinted
        new = [look for name, (_, look) in states.items() if name not in hinted]
        self._watching = [self.tasks.create_task(self._watch(look)) for look in new]

    def rest(self) -> None:
        """Watch no node any more."""
        for task in self._watching:
            task.cancel()
        self._watching = []

    async def _watch(self, look: NodeLook) -> None:
        try:
            await self.fleet.until_changed(look)
        except Exception:
            # A bug in a hint must not stop the loop: the ticks have to do.
            log.exception("a node can't be watched", node=look.name)
            return
        self._hinted[look.name] = _state(look)
        self.wake()


def _state(look: NodeLook) -> _State:
    """Return what a rollout waits for to change."""
    pool = look.pool
    is_idle = not pool.in_flight
    return pool.admin, pool.up, pool.fresh, is_idle, look.answer.came, look.host.running
