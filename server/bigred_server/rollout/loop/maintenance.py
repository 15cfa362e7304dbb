"""Cares for a fleet between deployments: has nodes mended, and old versions taken away."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_broker.messages import Phase
from bigred_server.journal import deployments
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.model.deployment import DeploymentRecord, new_deployment_id
from bigred_server.rollout.core import upkeep
from bigred_server.rollout.core.observation import Looks
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.core.upkeep import PendingWork
from bigred_server.rollout.loop.executor import Executor

# Who asks for a mend, in the journal.
NOBODY = "bigred"

_MENDS_SEEN = 20
_TIDY_AGAIN_S = 60.0


@dataclass
class Maintenance:
    """Looks after one app while no deployment runs."""

    app: str
    db: Database
    lead: Leadership
    policy: Policy
    wake: Callable[[], None]
    _tried_at_s: dict[str, float] = field(default_factory=dict)

    async def do_next(self, live: Target, looks: Looks, executor: Executor) -> None:
        """Do the next thing that the last deployment left to do, if any."""
        async with self.db.read() as db:
            found = await deployments.newest(db, self.app, _MENDS_SEEN, mends=True)
        last = next((record for record in found if record.mends is None), None)
        if last is None or executor.busy:
            return
        now = time.time()
        left = _pending_work(last, found)
        if node := upkeep.to_repair(looks, live, left, self.policy, now):
            await self._repair(live, node, now)
            return
        for action in upkeep.to_clean_up(looks, live, left, self.policy, now):
            tried_at_s = self._tried_at_s.get(action.node, float("-inf"))
            if time.monotonic() - tried_at_s >= _TIDY_AGAIN_S:
                self._tried_at_s[action.node] = time.monotonic()
                executor.launch(last, action, self._when_tidied(action.node))

    def _when_tidied(self, node: str) -> Callable[[str], None]:
        def done(failure: str) -> None:
            if not failure:
                del self._tried_at_s[node]

        return done

    async def _repair(self, live: Target, node: str, now: float) -> None:
        """Have a node that was left out brought to the live release: a deployment of its own."""
        record = DeploymentRecord(
            id=new_deployment_id(),
            app=self.app,
            digest=live.digest,
            previous=None,
            who=NOBODY,
            started_at=now,
            mends=node,
        )
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.add(db, record)
        self.wake()


def _pending_work(last: DeploymentRecord, found: list[DeploymentRecord]) -> PendingWork:
    ended_at = last.ended_at or last.started_at
    failed_at = dict.fromkeys(last.set_aside, ended_at)
    for mend in reversed(found):
        if mend.mends and mend.started_at > last.started_at and mend.phase is not Phase.SUCCEEDED:
            failed_at[mend.mends] = mend.ended_at or mend.started_at
    return PendingWork(last.skipped, last.set_aside, failed_at, ended_at)
