"""Maintenance of a fleet between deployments: begin repairs of nodes, remove old versions."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bigred_broker.messages import Phase
from bigred_server.clock import Clock
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core import upkeep
from bigred_server.rollout.core.observation import Looks
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.core.upkeep import PendingWork
from bigred_server.rollout.loop.executor import Executor

_CLEAN_UP_AGAIN_S = 60.0

# Arguments: the app, the digest of its live release, the node.
BeginRepair = Callable[[AsyncConnection, str, str, str], Awaitable[None]]


@dataclass
class Maintenance:
    """Finishes what the last deployment of one app left undone, while none is running.

    `begin_repair` begins the deployment that repairs one node, in the caller's transaction.
    """

    app: str
    db: Database
    lead: Leadership
    policy: Policy
    begin_repair: BeginRepair
    clock: Clock
    wake: Callable[[], None]
    _tried_at_s: dict[str, float] = field(default_factory=dict)

    async def do_next(
        self,
        live: Target,
        looks: Looks,
        executor: Executor,
        found: Sequence[DeploymentRecord],
        *,
        may_repair: bool = True,
    ) -> None:
        """Do the next thing that the last deployment left undone, if any.

        `found`: the newest deployments, repairs included. `may_repair`: whether a Tomcat may be
        restarted: nobody would be cut off unnoticed.
        """
        last = next((record for record in found if record.mends is None), None)
        if last is None or executor.busy:
            return
        now = self.clock.unix()
        left = _pending_work(last, found)
        if may_repair and (node := upkeep.to_repair(looks, live, left, self.policy, now)):
            await self._repair(live, node)
            return
        for action in upkeep.to_clean_up(looks, live, left, self.policy, now):
            tried_at_s = self._tried_at_s.get(action.node, float("-inf"))
            if self.clock.monotonic() - tried_at_s >= _CLEAN_UP_AGAIN_S:
                self._tried_at_s[action.node] = self.clock.monotonic()
                executor.launch(last, action, self._when_cleaned_up(action.node))

    def _when_cleaned_up(self, node: str) -> Callable[[str], None]:
        def done(failure: str) -> None:
            if not failure:
                del self._tried_at_s[node]

        return done

    async def _repair(self, live: Target, node: str) -> None:
        """Begin a deployment that brings one node back to the live release."""
        async with self.db.write() as db:
            await self.lead.fence(db)
            await self.begin_repair(db, self.app, live.digest, node)
        self.wake()


def _pending_work(last: DeploymentRecord, found: Sequence[DeploymentRecord]) -> PendingWork:
    ended_at = last.ended_at or last.started_at
    failed_at = dict.fromkeys(last.set_aside, ended_at)
    for one in reversed(found):
        if one.mends and one.started_at > last.started_at and one.phase is not Phase.SUCCEEDED:
            failed_at[one.mends] = one.ended_at or one.started_at
    return PendingWork(last.skipped, last.set_aside, failed_at, ended_at)
