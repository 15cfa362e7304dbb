"""After a simulated deployment: maintenance runs until nothing is left to do."""

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
_MOST_REPAIRS = 10


@dataclass
class Aftercare:
    """Maintains the fleet of a rollout that has ended; all nodes are to run `live`."""

    rollout: SimulatedRollout
    live: Target
    random: Random
    failed_at: dict[str, float] = field(default_factory=dict)
    repairs: int = 0

    def work(self) -> Looks:
        """Repair and clean up; return the fleet's state afterwards."""
        fleet, clock, ended = self.rollout.fleet, self.rollout.clock, self.rollout.deployment
        idle = 0
        for _ in range(_MOST_TICKS):
            looks = fleet.see().nodes
            left = PendingWork(
                ended.record.skipped, ended.record.set_aside, self.failed_at, clock() - 60.0
            )
            name = to_repair(looks, self.live, left, fleet.policy, clock())
            if name is not None and self.repairs < _MOST_REPAIRS:
                idle = 0
                self._repair(name)
            for action in to_clean_up(looks, self.live, left, fleet.policy, clock()):
                self._do(action)
            idle += 1
            # A node that was down counts as back once HAProxy's checks have passed.
            if idle > 20 or fleet.violations:
                break
            clock.now_s += _TICK_S
        return fleet.see().nodes

    def _do(self, action: Action) -> None:
        fleet = self.rollout.fleet
        fleet.finish(fleet.begin(action))

    def _repair(self, name: str) -> None:
        self.repairs += 1
        record = DeploymentRecord(
            f"d-m{self.repairs}", "shop", self.live.digest, None, "bigred", 0.0, mends=name
        )
        repair = SimulatedRollout(
            self.rollout.fleet,
            self.rollout.clock,
            Deployment(record, self.live, None),
        )
        for _ in range(_MOST_TICKS):
            if repair.has_ended:
                break
            repair.tick(_TICK_S, ends_while_looking=self.random.random() < 0.3)
        if repair.deployment.record.phase is not Phase.SUCCEEDED:
            self.failed_at[name] = self.rollout.clock()
