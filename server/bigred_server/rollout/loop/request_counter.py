"""The count of requests during one deployment, kept in the journal across restarts."""

from dataclasses import dataclass, replace

from bigred_broker.messages import AppEventType
from bigred_server.journal import deployments
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core import counter_delta
from bigred_server.rollout.core.counter_delta import CounterDelta
from bigred_server.rollout.core.observation import NOTHING_COUNTED, Counters, Coverage
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.loop.event_log import EventLog


@dataclass(frozen=True)
class Counted:
    """What HAProxy counted during a deployment, and for whom."""

    counters: Counters
    coverage: Coverage = NOTHING_COUNTED


@dataclass
class RequestCounter:
    """Counts what HAProxy has counted since a deployment began."""

    db: Database
    lead: Leadership
    events: EventLog
    delta: CounterDelta | None = None
    coverage: Coverage = NOTHING_COUNTED

    @classmethod
    def of(
        cls, record: DeploymentRecord, db: Database, lead: Leadership, events: EventLog
    ) -> "RequestCounter":
        """Begin, or continue with what an earlier server kept."""
        kept = counter_delta.from_json(record.counters) if record.counters else None
        return cls(db, lead, events, kept)

    @property
    def result(self) -> Counted:
        """The counts so far."""
        return Counted(self.delta.total if self.delta else counter_delta.ZERO, self.coverage)

    async def update(self, record: DeploymentRecord, look: FleetLook) -> DeploymentRecord:
        """Update the count with a look; store it in the journal when HAProxy's process changes."""
        pid, counters = look.pid, look.counters
        if pid is None or counters is None:
            return record
        before, self.coverage = self.delta, _covered(self.coverage, look)
        self.delta = counter_delta.track(
            before or counter_delta.begin(pid, counters), pid, counters
        )
        if before is not None and before.pid == pid:
            return record
        if before is not None:
            text = "HAProxy was reloaded or restarted; its servers' states are set again"
            await self.events.report(record, AppEventType.FINDING, text)
        kept = self.delta.to_json()
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(db, record.id, counters=kept)
        return replace(record, counters=kept)


def _covered(before: Coverage, look: FleetLook) -> Coverage:
    """Return the coverage of a look, with every backend that was ever seen not to be covered."""
    foreign = (*before.unmanaged, *look.coverage.unmanaged, *look.sharing)
    return replace(look.coverage, unmanaged=tuple(dict.fromkeys(foreign)))
