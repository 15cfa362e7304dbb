"""The audience: hears all that passes over the broker, as any subscriber could; waits for it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_broker.connection import Delivery
from bigred_broker.link import Link
from bigred_broker.messages import AppEvent, AppState, BoxState, Reply, decode
from bigred_broker.program import ProgramError
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics
from bigred_server.demo.config import APP, BOX

Received = BoxState | Reply | AppState | AppEvent

_ARMED = "armed"  # the box's own word for its light


@dataclass
class Subscriber:
    """What was heard last of each kind; `on_hearing` is told of everything at once.

    `replies` are kept with the moment (monotonic seconds) at which they were heard.
    """

    on_hearing: Callable[[Received], None]
    box: BoxState | None = None
    app: AppState | None = None
    replies: list[tuple[float, Reply]] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def is_armed(self) -> bool:
        """Whether the box shows that a press would fire."""
        return self.box is not None and self.box.lights.pattern == _ARMED

    async def listen(self, broker: BrokerSettings) -> None:
        """Listen until cancelled."""
        topics = Topics(broker.prefix)
        link = Link(
            broker,
            "demo-audience",
            f"{broker.prefix}/demo/status",
            [topics.every_box, topics.every_app],
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.run())
            while True:
                happening = await link.events.get()
                if isinstance(happening, Delivery):
                    await self._hear(topics, happening)
                    happening.ack()

    async def until(self, is_so: Callable[[], bool], deadline_s: float, what: str) -> None:
        """Wait until something heard makes `is_so` true. Raises ProgramError at the deadline."""
        async with self._changed:
            try:
                async with asyncio.timeout(deadline_s):
                    await self._changed.wait_for(is_so)
            except TimeoutError as error:
                raise ProgramError(f"{what}: not so after {deadline_s:g} s") from error

    async def _hear(self, topics: Topics, delivery: Delivery) -> None:
        now_s = time.monotonic()
        match topics.parse(delivery.topic):
            case ("box", box, "state") if box == BOX:
                heard: Received = decode(BoxState, delivery.payload)
            case ("box", box, "reply") if box == BOX:
                heard = decode(Reply, delivery.payload)
            case ("app", app, "state") if app == APP:
                heard = decode(AppState, delivery.payload)
            case ("app", app, "event") if app == APP:
                heard = decode(AppEvent, delivery.payload)
            case _:
                return
        async with self._changed:
            self._note(heard, now_s)
            self._changed.notify_all()
        self.on_hearing(heard)

    def _note(self, heard: Received, now_s: float) -> None:
        match heard:
            case BoxState():
                self.box = heard
            case AppState():
                self.app = heard
            case Reply():
                self.replies.append((now_s, heard))
