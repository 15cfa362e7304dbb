"""The retained messages that a link keeps on the broker, even if others overwrite them.

Any client that may write there can overwrite or remove them: a forger, a stranger's will, a person
with mosquitto_pub. So the link reads its own topics. Another payload than ours is followed by ours
again, as often as `Repetitions` allows, and reported once a minute for each topic.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bigred_broker.repetitions import Repetitions

log = structlog.get_logger(__name__)

REPORT_S = 60.0


@dataclass
class _Watched:
    """What others published on a topic of ours.

    `foreign`: their messages since ours was published last; `unreported`: those that ours followed.
    """

    repetitions: Repetitions = field(default_factory=Repetitions)
    foreign: int = 0
    unreported: int = 0
    reported_s: float = -math.inf
    repeating: asyncio.TimerHandle | None = None
    reporting: asyncio.TimerHandle | None = None


@dataclass
class RetainedMessages:
    """The messages by their topics; needs a running loop from `saw` on.

    `publish` sends one now, or does nothing while disconnected. `report(topic, count)` is called
    when `count` messages of others were followed by ours. Only topics that `may_publish` allows are
    defended: others may have an owner who is not us at the moment. Our presence on `status_topic`
    is repeated however often it is overwritten: other servers share it, and each one's end does so.
    """

    client: str
    status_topic: str
    publish: Callable[[str, bytes], None]
    may_publish: Callable[[str], bool]
    report: Callable[[str, int], None]
    _payloads: dict[str, bytes] = field(default_factory=dict)
    _watched: dict[str, _Watched] = field(default_factory=dict)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of all messages."""
        return tuple(self._payloads)

    def keep(self, topic: str, payload: bytes) -> None:
        """Publish a message unless it is the one that is kept there."""
        if self.put(topic, payload):
            self.repeat(topic)

    def put(self, topic: str, payload: bytes) -> bool:
        """Keep a message that is published later; return whether it differs from what was kept."""
        is_new = self._payloads.get(topic) != payload
        self._payloads[topic] = payload
        return is_new

    def repeat(self, topic: str) -> None:
        """Publish the message of a topic again, if there is one."""
        if topic in self._payloads:
            self._settle(topic)
            self.publish(topic, self._payloads[topic])

    def forget(self, topic: str) -> None:
        """Stop keeping a message."""
        self._settle(topic)
        self._payloads.pop(topic, None)

    def saw(self, topic: str, payload: bytes) -> None:
        """Compare a message that the broker delivered with ours."""
        ours = self._payloads.get(topic)
        if payload == ours:
            self._settle(topic)
        elif ours is not None and self.may_publish(topic):
            fresh = _Watched(Repetitions(is_limited=topic != self.status_topic))
            watched = self._watched.setdefault(topic, fresh)
            watched.foreign += 1
            if watched.repeating is None:
                loop = asyncio.get_running_loop()
                due_s = watched.repetitions.due_s(loop.time())
                watched.repeating = loop.call_at(due_s, self._defend, topic, watched)

    def disconnected(self) -> None:
        """Repeat nothing: the next connection publishes all messages."""
        for topic in self._watched:
            self._settle(topic)

    def close(self) -> None:
        """Repeat and report nothing any more."""
        self.disconnected()
        for watched in self._watched.values():
            if watched.reporting is not None:
                watched.reporting.cancel()
                watched.reporting = None

    def _settle(self, topic: str) -> None:
        """Note that the latest message on a topic is ours."""
        watched = self._watched.get(topic)
        if watched is not None:
            watched.foreign = 0
            if watched.repeating is not None:
                watched.repeating.cancel()
                watched.repeating = None

    def _defend(self, topic: str, watched: _Watched) -> None:
        foreign = watched.foreign
        self._settle(topic)
        if not self.may_publish(topic):
            return
        self.repeat(topic)
        loop = asyncio.get_running_loop()
        watched.repetitions = watched.repetitions.repeated(loop.time())
        watched.unreported += foreign
        if watched.reporting is None:
            due_s = watched.reported_s + REPORT_S
            if due_s <= loop.time():
                self._report(topic, watched)
            else:
                watched.reporting = loop.call_at(due_s, self._report, topic, watched)

    def _report(self, topic: str, watched: _Watched) -> None:
        count, watched.unreported, watched.reporting = watched.unreported, 0, None
        watched.reported_s = asyncio.get_running_loop().time()
        log.warning(
            "other clients published on a topic of ours; our message was published again",
            client=self.client,
            topic=topic,
            messages=count,
        )
        self.report(topic, count)
