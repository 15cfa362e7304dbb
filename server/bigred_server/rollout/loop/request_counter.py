"""The count of requests during one deployment, kept in the journal across restarts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
    deltas: Mapping[str, CounterDelta] = field(default_factory=dict)
    coverage: Coverage = NOTHING_COUNTED

    @classmethod
    def of(
        cls, record: DeploymentRecord, db: Database, lead: Leadership, events: EventLog
    ) -> "RequestCounter":
        """Begin, or continue with what an earlier server kept."""
        return cls(db, lead, events, counter_delta.from_json(record.counters or {}))

    @property
    def result(self) -> Counted:
        """The counts so far."""
        return Counted(counter_delta.total(self.deltas.values()), self.coverage)

    async def update(self, record: DeploymentRecord, look: FleetLook) -> DeploymentRecord:
        """Update the count with a look; store it in the journal when a process changes."""
        if not look.counters:
            return record
        before, self.coverage = self.deltas, _covered(self.coverage, look)
        self.deltas = counter_delta.track(before, look.counters)
        if counter_delta.pids(before) == counter_delta.pids(self.deltas):
            return record
        if before:
            text = "HAProxy was reloaded or restarted; its servers' states are set again"
            await self.events.report(record, AppEventType.FINDING, text)
        kept = counter_delta.to_json(self.deltas)
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(db, record.id, counters=kept)
        return replace(record, counters=kept)


def _covered(before: Coverage, look: FleetLook) -> Coverage:
    """Return the coverage of a look, with every backend that was ever seen not to be covered."""
    foreign = (*before.unmanaged, *look.coverage.unmanaged, *look.sharing)
    return replace(look.coverage, unmanaged=tuple(dict.fromkeys(foreign)))
