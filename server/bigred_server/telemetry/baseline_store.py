"""What JVMs used at every age, kept in the journal for the servers that come after this one."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import SQLAlchemyError

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
    """Writes down what it is told, and reads what earlier servers wrote when it is `stale`."""

    app: str
    db: Database
    ages: Ages = field(default_factory=Ages)
    stale: bool = True
    _new: list[tuple[str, Span]] = field(default_factory=list)

    def add(self, digest: str, spans: Sequence[Span]) -> None:
        """Take in spans of nodes on a release."""
        self.ages.add(digest, spans)
        self._new += [(digest, span) for span in spans]

    async def run(self) -> None:
        """Keep until cancelled. A journal that is away loses nothing but what it was told then."""
        while True:
            try:
                await self.keep()
            except (BigredError, SQLAlchemyError, OSError) as error:
                log.warning("what JVMs used can't be kept", app=self.app, reason=str(error))
            await asyncio.sleep(_EVERY_S)

    async def keep(self) -> None:
        """Write what is new, and read again when what is known is stale."""
        new, self._new = self._new, []
        if new:
            async with self.db.write() as db:
                await journal.add(db, self.app, [(digest, asdict(one)) for digest, one in new])
        if self.stale:
            async with self.db.read() as db:
                kept = await journal.of(db, self.app)
            self.ages, self.stale = Ages(), False
            for digest, told in kept:
                self.ages.add(digest, _read(told))
            # What was told while that was read.
            for digest, one in self._new:
                self.ages.add(digest, [one])


def _read(told: object) -> list[Span]:
    """Read a span; one that another version of Bigred wrote otherwise is none."""
    try:
        return [_READER.validate_python(told)]
    except ValidationError:
        return []
