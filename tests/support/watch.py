"""The watch: observes each node from outside, a hundred times a second, during a deployment.

It shows how long a node itself took for its requests, its stop and its start, and how much of the
time of its update the deploy server added.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import neighbours
from tests.support.rig import Rig

from bigred_broker.program import is_listening
from bigred_server.model.action_record import ActionRecord
from bigred_server.rollout.core.action import ActionKind

_EVERY_S = 0.01
_CLOSING = frozenset({ActionKind.DRAIN, ActionKind.MAINT})


@dataclass(frozen=True)
class Sight:
    """A node from `at` (Unix time) on: whether it has requests, an open port, a live JVM."""

    at: float
    busy: bool
    listens: bool
    lives: bool


@dataclass
class Watch:
    """What was seen of each node; only changes are kept."""

    rig: Rig
    seen: dict[str, list[Sight]] = field(default_factory=dict)

    def look(self) -> None:
        """Look once at every node."""
        with contextlib.suppress(OSError):  # HAProxy is being reloaded
            tables = [neighbours.rows(haproxy) for haproxy in self.rig.demo_site.haproxies]
            for name in self.rig.demo_site.nodes:
                now = self._sight(name, [table[name] for table in tables])
                kept = self.seen.setdefault(name, [])
                if not kept or _without_time(kept[-1]) != _without_time(now):
                    kept.append(now)

    def _sight(self, name: str, rows: Sequence[neighbours.Row]) -> Sight:
        at, busy = time.time(), any(row.in_flight for row in rows)
        if all(row.status.startswith("UP") for row in rows):
            # A node in service is not probed: a hundred more connections a second would be load.
            return Sight(at, busy, listens=True, lives=True)
        tomcat = self.rig.demo_site.nodes[name]
        process = neighbours.jvm(tomcat)
        lives = process is not None and not _is_zombie(process)
        return Sight(at, busy, is_listening(tomcat.port), lives)


@contextlib.contextmanager
def watching(rig: Rig) -> Iterator[Watch]:
    """Watch until the block ends."""
    watch, over = Watch(rig), threading.Event()

    def go_on() -> None:
        while not over.wait(_EVERY_S):
            watch.look()

    thread = threading.Thread(target=go_on, name="watch")
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join(10)


def overhead_s(actions: Sequence[ActionRecord], seen: Sequence[Sight]) -> float | None:
    """Return the seconds that the server added to one node's update, None without one. Pure.

    From the node's MAINT to its last READY, less: requests in flight; Tomcat's own stop and start,
    or the Manager's work; smoke tests and warm-up. The rest is reaching the node, the swap,
    HAProxy's check, and every delay until something was noticed. If the deployment waits for users,
    it is counted from when they are gone: the time before is theirs. `actions` and `seen` are the
    node's own.
    """
    closing = sorted((action for action in actions if action.kind in _CLOSING), key=_is_drain)
    closed = next((action.begun_at for action in closing), None)
    opened = next(
        (action.ended_at for action in reversed(actions) if action.kind == ActionKind.READY), None
    )
    if closed is None or opened is None:
        return None
    touched = next(
        (action for action in actions if action.kind in (ActionKind.STOP, ActionKind.DEPLOY)), None
    )
    if touched is None:
        return None
    idle = _since(seen, touched.begun_at, lambda preflight: not preflight.busy)
    admitted = sum(_length(action) for action in actions if action.kind == ActionKind.ADMIT)
    inside = sum(
        _length(action) for action in actions if action.kind == ActionKind.DEPLOY
    ) + _jvm_s(seen, closed)
    return opened - closed - max(0.0, idle - closed) - inside - admitted


def _jvm_s(seen: Sequence[Sight], closed: float) -> float:
    """Return the JVM's own time: from closed port to end, and from start to open port."""
    after = [preflight for preflight in seen if preflight.at >= closed]
    shut = _first(after, lambda preflight: not preflight.listens)
    gone = _first(after, lambda preflight: not preflight.lives)
    back = _first(
        after, lambda preflight: preflight.lives and gone is not None and preflight.at > gone
    )
    ready = _first(
        after, lambda preflight: preflight.listens and back is not None and preflight.at >= back
    )
    if shut is None or gone is None or back is None or ready is None:
        return 0.0
    return gone - shut + ready - back


def _since(seen: Sequence[Sight], at: float, holds: Callable[[Sight], bool]) -> float:
    """Return since when something has held at a moment; the moment itself if it does not hold."""
    since = at
    for preflight in reversed([one for one in seen if one.at <= at]):
        if not holds(preflight):
            break
        since = preflight.at
    return since


def _first(seen: Sequence[Sight], holds: Callable[[Sight], bool]) -> float | None:
    return next((preflight.at for preflight in seen if holds(preflight)), None)


def _is_drain(action: ActionRecord) -> bool:
    return action.kind == ActionKind.DRAIN


def _length(action: ActionRecord) -> float:
    return (action.ended_at or action.begun_at) - action.begun_at


def _without_time(preflight: Sight) -> tuple[bool, bool, bool]:
    return preflight.busy, preflight.listens, preflight.lives


def _is_zombie(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].startswith("Z")
    return True
