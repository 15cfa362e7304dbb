"""Business metrics received by MQTT: each message holds a number, either bare or inside JSON."""

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from bigred_broker.admission import Limits
from bigred_broker.connection import Delivery
from bigred_broker.intake import FilterIntake
from bigred_broker.link import Link
from bigred_broker.settings import BrokerSettings
from bigred_server.errors import SeriesError
from bigred_server.model.json_pointer import value_at
from bigred_server.settings.series import SeriesSettings

log = structlog.get_logger(__name__)

# What a payload may raise: text, deep nesting, and numbers too large for a float.
_UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError)
_LIMITS = Limits(per_s=1000.0, burst=2000.0, flood=4000.0)


@dataclass
class Subscriptions:
    """Subscribes to the topics of an app's series; `read` returns the value of one of them.

    `name`: the client id at the broker.
    """

    broker: BrokerSettings
    name: str
    series: Mapping[str, SeriesSettings]
    _last: dict[str, float] = field(default_factory=dict)
    _sums: dict[str, float] = field(default_factory=dict)
    _errors: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Receive until cancelled; return at once if no series uses MQTT."""
        topics = sorted({one.mqtt for one in self.series.values() if one.mqtt})
        if not topics:
            return
        status = f"{self.broker.prefix}/series/{self.name}/status"
        intake = FilterIntake(topics, dict.fromkeys(topics, _LIMITS), _report_flood)
        link = Link(self.broker, self.name, status, intake=intake)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.run())
            while True:
                happening = await link.events.get()
                if isinstance(happening, Delivery):
                    self.receive(happening.topic, happening.payload)
                    happening.ack()

    def receive(self, topic: str, payload: bytes) -> None:
        """Process a message."""
        for name, one in self.series.items():
            if one.mqtt != topic:
                continue
            try:
                number = _number(payload, one.pointer)
            except _UNREADABLE as error:
                self._errors[name] = f"no number in {payload[:80]!r}: {error}"
                continue
            self._errors.pop(name, None)
            self._last[name] = number
            self._sums[name] = self._sums.get(name, 0.0) + number

    def read(self, name: str) -> float:
        """Return the latest number of a series or, for `counts = "since"`, the sum since last time.

        Raise SeriesError if none was received or the latest message had none.
        """
        if name in self._errors:
            raise SeriesError(self._errors[name])
        if name not in self._last:
            raise SeriesError(f"no message on {self.series[name].mqtt!r} yet")
        if self.series[name].counts == "since":
            return self._sums.pop(name, 0.0)
        return self._last[name]


def _report_flood(topic: str) -> None:
    log.warning("too many messages; ignoring them for a minute", topic=topic)


def _number(payload: bytes, pointer: str) -> float:
    """Read the number at a JSON pointer (RFC 6901); "" refers to the whole payload."""
    value = value_at(json.loads(payload), pointer)
    if isinstance(value, bool):
        raise TypeError("true and false are not numbers")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a number")
    return number
