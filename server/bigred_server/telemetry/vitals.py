"""Measures the resource use of the nodes' JVMs while a deployment is judged."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from bigred_server.errors import NodeError
from bigred_server.judge.look import Span
from bigred_server.tomcat.manager import Manager
from bigred_server.tomcat.vitals import Vitals, span

log = structlog.get_logger(__name__)

_KEPT = 60


@dataclass
class VitalsWatch:
    """Reads the vitals of each node every `every_s` seconds while `wanted`.

    `served`: returns HAProxy's count of requests so far, by node.
    """

    managers: Mapping[str, Manager]
    every_s: float
    served: Callable[[], Mapping[str, int]]
    wanted: bool = False
    spans: dict[str, list[Span]] = field(default_factory=dict)
    _read: dict[str, tuple[Vitals, int]] = field(default_factory=dict)
    _errors: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Measure until cancelled."""
        while self.managers:
            if self.wanted:
                await asyncio.gather(*map(self._measure, self.managers))
            else:
                self._read.clear()
            await asyncio.sleep(self.every_s)

    async def _measure(self, node: str) -> None:
        try:
            now = await self.managers[node].vitals()
        except NodeError as error:
            self._read.pop(node, None)
            if self._errors.get(node) != str(error):
                self._errors[node] = str(error)
                log.warning("a node's JVM can't be read", node=node, reason=str(error))
            return
        self._errors.pop(node, None)
        served = self.served().get(node, 0)
        before = self._read.get(node)
        self._read[node] = now, served
        if before is None:
            return
        if (found := span(node, before[0], now, max(0, served - before[1]))) is not None:
            self.spans[node] = [*self.spans.get(node, []), found][-_KEPT:]

    def collect(self) -> Mapping[str, Sequence[Span]]:
        """Return the spans that ended since the last call."""
        spans, self.spans = self.spans, {}
        return spans
