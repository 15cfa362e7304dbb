"""The demo's subscriber: receives all messages of box and app, and waits for conditions."""

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

_ARMED = "armed"  # the box's own name for its light pattern


@dataclass
class Subscriber:
    """The latest message of each kind; `on_message` is called with every message.

    `replies`: all replies, each with the time (monotonic seconds) at which it was received.
    """

    on_message: Callable[[Received], None]
    box: BoxState | None = None
    app: AppState | None = None
    replies: list[tuple[float, Reply]] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def is_armed(self) -> bool:
        """Whether the box's light shows that it is armed."""
        return self.box is not None and self.box.lights.pattern == _ARMED

    async def listen(self, broker: BrokerSettings) -> None:
        """Receive messages until cancelled."""
        topics = Topics(broker.prefix)
        link = Link(
            broker,
            "demo-subscriber",
            f"{broker.prefix}/demo/status",
            [topics.every_box, topics.every_app],
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.run())
            while True:
                happening = await link.events.get()
                if isinstance(happening, Delivery):
                    await self._receive(topics, happening)
                    happening.ack()

    async def until(self, is_true: Callable[[], bool], deadline_s: float, what: str) -> None:
        """Wait until a message makes `is_true` true. Raise ProgramError at the deadline."""
        async with self._changed:
            try:
                async with asyncio.timeout(deadline_s):
                    await self._changed.wait_for(is_true)
            except TimeoutError as error:
                raise ProgramError(
                    f"timed out after {deadline_s:g} s while waiting until {what}"
                ) from error

    async def _receive(self, topics: Topics, delivery: Delivery) -> None:
        now_s = time.monotonic()
        match topics.parse(delivery.topic):
            case ("box", box, "state") if box == BOX:
                message: Received = decode(BoxState, delivery.payload)
            case ("box", box, "reply") if box == BOX:
                message = decode(Reply, delivery.payload)
            case ("app", app, "state") if app == APP:
                message = decode(AppState, delivery.payload)
            case ("app", app, "event") if app == APP:
                message = decode(AppEvent, delivery.payload)
            case _:
                return
        async with self._changed:
            self._keep(message, now_s)
            self._changed.notify_all()
        self.on_message(message)

    def _keep(self, message: Received, now_s: float) -> None:
        match message:
            case BoxState():
                self.box = message
            case AppState():
                self.app = message
            case Reply():
                self.replies.append((now_s, message))
