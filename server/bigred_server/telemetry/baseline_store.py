"""The resource use of JVMs by age, stored in the journal so that other servers know it too."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.faults import Faults
from bigred_server.errors import BigredError
from bigred_server.journal import spans as journal
from bigred_server.journal.database import Database
from bigred_server.judge.look import Span
from bigred_server.telemetry.core.ages import Ages

log = structlog.get_logger(__name__)

_READER = TypeAdapter(Span)
_EVERY_S = 1.0


@dataclass
class BaselineStore:
    """Stores new spans, and reads those that other servers stored when it is `stale`."""

    app: str
    db: Database
    ages: Ages = field(default_factory=Ages)
    stale: bool = True
    _new: list[tuple[str, Span]] = field(default_factory=list)
    _faults: Faults = field(default_factory=Faults)

    def add(self, digest: str, spans: Sequence[Span]) -> None:
        """Add spans of nodes on a release."""
        self.ages.add(digest, spans)
        self._new += [(digest, span) for span in spans]

    async def run(self) -> None:
        """Store spans until cancelled. Only those that the journal fails to store are lost."""
        while True:
            try:
                await self.sync()
            except (BigredError, SQLAlchemyError, OSError) as error:
                if self._faults.count(str(error), time.monotonic()):
                    log.warning(
                        "the JVMs' resource use can't be stored", app=self.app, reason=str(error)
                    )
            await asyncio.sleep(_EVERY_S)

    async def sync(self) -> None:
        """Write new spans, and read all spans again if those known are stale."""
        new, self._new = self._new, []
        if new:
            async with self.db.write() as db:
                await journal.add(db, self.app, [(digest, asdict(one)) for digest, one in new])
        if self.stale:
            async with self.db.read() as db:
                stored = await journal.of(db, self.app)
            self.ages, self.stale = Ages(), False
            for digest, value in stored:
                self.ages.add(digest, _read(value))
            # Spans that were added while the journal was read.
            for digest, one in self._new:
                self.ages.add(digest, [one])


def _read(value: object) -> list[Span]:
    """Read a span; return nothing if another version of Bigred wrote it differently."""
    try:
        return [_READER.validate_python(value)]
    except ValidationError:
        return []
