"""Business metrics that come by MQTT: a number in each message, bare or inside JSON."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # somebody else's JSON

from bigred_broker.connection import Delivery
from bigred_broker.link import Link
from bigred_broker.settings import BrokerSettings
from bigred_server.errors import SeriesError
from bigred_server.settings.series import SeriesSettings


@dataclass
class Subscriptions:
    """Hears the topics of an app's series; `read` gives what a series stands at.

    `name`: of this client at the broker.
    """

    broker: BrokerSettings
    name: str
    series: Mapping[str, SeriesSettings]
    _last: dict[str, float] = field(default_factory=dict)
    _sums: dict[str, float] = field(default_factory=dict)
    _wrong: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Listen until cancelled; at once done when no series comes by MQTT."""
        topics = sorted({one.mqtt for one in self.series.values() if one.mqtt})
        if not topics:
            return
        status = f"{self.broker.prefix}/series/{self.name}/status"
        link = Link(self.broker, self.name, status, topics)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.run())
            while True:
                happening = await link.events.get()
                if isinstance(happening, Delivery):
                    self.take(happening.topic, happening.payload)
                    happening.ack()

    def take(self, topic: str, payload: bytes) -> None:
        """Take in a message."""
        for name, one in self.series.items():
            if one.mqtt != topic:
                continue
            try:
                number = _number(payload, one.pointer)
            except (ValueError, KeyError, IndexError, TypeError) as error:
                self._wrong[name] = f"{payload[:80]!r} has no number: {error}"
                continue
            self._wrong.pop(name, None)
            self._last[name] = number
            self._sums[name] = self._sums.get(name, 0.0) + number

    def read(self, name: str) -> float:
        """Give the newest number of a series, or (`counts = "since"`) the sum since the last time.

        Raises SeriesError when none came.
        """
        if name in self._wrong:
            raise SeriesError(self._wrong[name])
        if name not in self._last:
            raise SeriesError(f"nothing came on {self.series[name].mqtt!r} yet")
        if self.series[name].counts == "since":
            return self._sums.pop(name, 0.0)
        return self._last[name]


def _number(payload: bytes, pointer: str) -> float:
    """Read a number where a JSON pointer (RFC 6901) points to; "" is the whole payload."""
    told: Any = json.loads(payload)
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        told = told[int(key)] if isinstance(told, list) else told[key]
    if isinstance(told, bool):
        raise TypeError("true and false are no numbers")
    return float(told)
