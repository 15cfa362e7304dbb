"""Reports sources that send too many messages, and disconnects boxes that do."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bigred_broker.eviction import evict
from bigred_broker.settings import BrokerSettings
from bigred_server.settings import BoxSettings

log = structlog.get_logger(__name__)

REPORT_S = 60.0
_FLOODED = "box {box} sent too many messages; it was disconnected, and is ignored for a minute"


@dataclass
class Floods:
    """The floods of a server's link. Run `run()` as a task.

    `dropped` returns how many messages of each source were dropped since the last call; `find`
    publishes a finding about an app.
    """

    broker: BrokerSettings
    boxes: dict[str, BoxSettings]
    dropped: Callable[[], dict[str, int]]
    find: Callable[[str, str], None]
    _evictions: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def begun(self, source: str) -> None:
        """Report a source that is muted from now on; if it is a box, disconnect it."""
        log.warning("too many messages; ignoring the source for a minute", source=source)
        if source in self.boxes:
            self._evictions[source] = asyncio.create_task(evict(self.broker, source))
            self.find(self.boxes[source].app, _FLOODED.format(box=source))

    async def run(self) -> None:
        """Report once a minute what was dropped, until cancelled."""
        while True:
            await asyncio.sleep(REPORT_S)
            for source, count in sorted(self.dropped().items()):
                log.warning("dropped messages: too many", source=source, messages=count)
