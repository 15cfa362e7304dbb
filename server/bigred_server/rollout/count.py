"""The count of requests in one deployment, begun in the journal and carried over every restart."""

from dataclasses import dataclass, replace

from bigred_broker.messages import AppEventType
from bigred_server.journal import deployments
from bigred_server.journal.database import Database
from bigred_server.journal.deployments import Record
from bigred_server.rollout import tally
from bigred_server.rollout.fleet import FleetLook
from bigred_server.rollout.leadership import Leadership
from bigred_server.rollout.look import Counters
from bigred_server.rollout.narrator import Narrator
from bigred_server.rollout.tally import Tally


@dataclass
class Count:
    """What HAProxy counted since a deployment began."""

    db: Database
    lead: Leadership
    narrator: Narrator
    tally: Tally | None = None

    @classmethod
    def of(cls, record: Record, db: Database, lead: Leadership, narrator: Narrator) -> "Count":
        """Begin, or go on with what an earlier server kept."""
        kept = tally.from_json(record.counters) if record.counters else None
        return cls(db, lead, narrator, kept)

    @property
    def total(self) -> Counters:
        """What was counted so far."""
        return self.tally.total if self.tally else tally.ZERO

    async def take(self, record: Record, look: FleetLook) -> Record:
        """Bring the count up to a look; the journal keeps where it began."""
        pid, counters = look.pid, look.counters
        if pid is None or counters is None:
            return record
        before = self.tally
        self.tally = tally.track(before or tally.begin(pid, counters), pid, counters)
        if before is not None and before.pid == pid:
            return record
        if before is not None:
            text = "HAProxy was reloaded or restarted; the states of its servers are set again"
            await self.narrator.say(record, AppEventType.FINDING, text)
        kept = self.tally.to_json()
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(db, record.id, counters=kept)
        return replace(record, counters=kept)
