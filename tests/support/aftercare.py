"""After a simulated deployment: maintenance goes on until nothing is left to do."""

from dataclasses import dataclass, field
from random import Random

from bigred_broker.messages import Phase
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core.action import Action
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.observation import Looks
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.core.upkeep import PendingWork, to_clean_up, to_repair
from bigred_server.testing.simulation import SimulatedRollout

_TICK_S = 0.5
_MOST_TICKS = 2000
_MOST_MENDS = 10


@dataclass
class Aftercare:
    """Works on the fleet of a rollout that has ended; `live` is what all nodes are to run."""

    rollout: SimulatedRollout
    live: Target
    random: Random
    failed_at: dict[str, float] = field(default_factory=dict)
    mends: int = 0

    def work(self) -> Looks:
        """Mend and tidy; give how the fleet stands then."""
        fleet, clock, ended = self.rollout.fleet, self.rollout.clock, self.rollout.deployment
        idle = 0
        for _ in range(_MOST_TICKS):
            looks = fleet.see().nodes
            left = PendingWork(
                ended.record.skipped, ended.record.set_aside, self.failed_at, clock() - 60.0
            )
            name = to_repair(looks, self.live, left, fleet.policy, clock())
            if name is not None and self.mends < _MOST_MENDS:
                idle = 0
                self._repair(name)
            for action in to_clean_up(looks, self.live, left, fleet.policy, clock()):
                self._do(action)
            idle += 1
            # A node that was down counts as back when HAProxy's checks have found it.
            if idle > 20 or fleet.violations:
                break
            clock.now_s += _TICK_S
        return fleet.see().nodes

    def _do(self, action: Action) -> None:
        fleet = self.rollout.fleet
        fleet.finish(fleet.begin(action))

    def _repair(self, name: str) -> None:
        self.mends += 1
        record = DeploymentRecord(
            f"d-m{self.mends}", "shop", self.live.digest, None, "bigred", 0.0, mends=name
        )
        mend = SimulatedRollout(
            self.rollout.fleet,
            self.rollout.clock,
            Deployment(record, self.live, None),
        )
        for _ in range(_MOST_TICKS):
            if mend.has_ended:
                break
            mend.tick(_TICK_S, ends_while_looking=self.random.random() < 0.3)
        if mend.deployment.record.phase is not Phase.SUCCEEDED:
            self.failed_at[name] = self.rollout.clock()
