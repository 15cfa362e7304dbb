"""The scene of a simulated deployment: fleet, policy and build, drawn at random."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from bigred_server.judge.policy import Inconclusive, JudgePolicy, Mode
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hook import Hook
from bigred_server.rollout.core import context_version
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.policy import OnDeadline, OnDrainDeadline, Policy, Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.testing.simulation import (
    SimulatedBuild,
    SimulatedFleet,
    SimulatedNode,
    SimulatedPool,
    SimulatedProxy,
    SimulatedRollout,
    VirtualClock,
)
from bigred_server.testing.simulation.context import Context

FOREVER = float("inf")
OLD = SimulatedBuild("0" * 64, "1.0.0")
_DIGEST = "1" * 64
NEW = {
    "good": SimulatedBuild(_DIGEST, "1.1.0"),
    "slow": SimulatedBuild(_DIGEST, "1.1.0", start_s=15.0),
    "never up": SimulatedBuild(_DIGEST, "1.1.0", start_s=FOREVER),
    "does not stay": SimulatedBuild(_DIGEST, "1.1.0", lives_s=0.5),
    "dies before its check": SimulatedBuild(_DIGEST, "1.1.0", lives_s=5.0),
    "dies in the pool": SimulatedBuild(_DIGEST, "1.1.0", lives_s=25.0),
    "dies late": SimulatedBuild(_DIGEST, "1.1.0", lives_s=70.0),
    "wrong release": SimulatedBuild(_DIGEST, "1.1.0", says="1.0.0"),
    "foreign release": SimulatedBuild(_DIGEST, "1.1.0", says="0.0.1"),
    "answers 500": SimulatedBuild(_DIGEST, "1.1.0", ok=False),
    "fails the check": SimulatedBuild(_DIGEST, "1.1.0", passes=False),
}
_STRATEGIES = [Strategy.RESTART] * 2 + [Strategy.REDEPLOY, Strategy.PARALLEL]


@dataclass
class Scene:
    """The circumstances of a deployment."""

    kind: str
    strategy: Strategy
    policy: Policy
    names: Sequence[str]
    http_only: bool
    managers: bool
    proxies: int
    maxconn: int | None
    first: bool
    check_every_s: float
    begins_s: float
    long: float
    random: Random = field(repr=False)

    @classmethod
    def drawn(cls, random: Random) -> "Scene":
        """Draw a scene."""
        kind = random.choice(["good"] * 6 + list(NEW))
        strategy = random.choice(_STRATEGIES)
        names = [f"node{number}" for number in range(1, random.choice([1, 2, 3, 3, 4, 6]) + 1)]
        by_manager = strategy is not Strategy.RESTART
        http_only = by_manager and random.random() < 0.4
        managers = by_manager or random.random() < 0.5
        return cls(
            kind=kind,
            strategy=strategy,
            policy=_policy(random, len(names), strategy, managers=managers),
            names=names,
            http_only=http_only,
            managers=managers,
            proxies=random.choice([1, 1, 2]),
            maxconn=random.choice([None, None, 4, 20]),
            first=random.random() < 0.1 and not http_only,
            check_every_s=random.choice([0.5, 1.0, 2.0]),
            begins_s=random.choice([0.0, 1000.0]),
            long=random.choice([0.0, 0.0, 0.05]),
            random=random,
        )

    @property
    def builds(self) -> dict[str, SimulatedBuild]:
        return {build.digest: build for build in (OLD, NEW[self.kind])}

    def rollout(self) -> SimulatedRollout:
        """Set up the scene, with the deployment about to be prepared."""
        clock = VirtualClock(self.begins_s)
        fleet = SimulatedFleet(
            builds=self.builds,
            nodes={name: self._node() for name in self.names},
            pool=SimulatedPool(
                [SimulatedProxy.of(self.names, self.maxconn) for _ in range(self.proxies)]
            ),
            policy=self.policy,
            clock=clock,
            random=self.random,
            check_every_s=self.check_every_s,
            arriving=self._arriving,
            stays_s=self.random.choice([0.0, 5.0]) if self.managers else 0.0,
        )
        deployment = Deployment(
            DeploymentRecord("d-1", "shop", NEW[self.kind].digest, None, "ada", 0.0),
            target=NEW[self.kind].wanted(self.strategy),
            previous=None if self.first else OLD.wanted(self.strategy),
        )
        return SimulatedRollout(fleet, clock, deployment)

    def _node(self) -> SimulatedNode:
        node = SimulatedNode(self.builds, OLD.digest, OLD.digest)
        node.has_manager = self.managers
        node.is_parallel = self.strategy is Strategy.PARALLEL
        if node.is_parallel and self.random.random() < 0.7:
            # Not the first deployment of its kind, so the context that is there has a version.
            name = context_version.name(self.random.randrange(1, 9), OLD.digest)
            node.wars = {name: OLD.digest}
            node.contexts = {name: Context(OLD.digest, -FOREVER, -FOREVER)}
        if self.http_only:
            node.kept = None
        if self.first:
            # A Tomcat that runs without the app, or none that runs.
            node.wars = {}
            node.contexts = {} if self.strategy is not Strategy.RESTART else None
        return node

    def _arriving(self, random: Random) -> Sequence[float]:
        taken = [random.choice([0.3, 1.0, 3.0]) for _ in range(random.randrange(3))]
        return [*taken, 500.0] if random.random() < self.long else taken


def _policy(random: Random, nodes: int, strategy: Strategy, *, managers: bool) -> Policy:
    can_wait = [Sessions.WAIT] if managers else []
    beside = strategy is Strategy.PARALLEL
    return Policy(
        min_healthy=random.randrange(nodes),
        batch=random.choice([1, 1, 2, 3]),
        canary=random.choice([0, 1, 1, 2]),
        headroom=random.choice([0.5, 0.8, 1.0]),
        sessions=Sessions.PARALLEL if beside else random.choice([Sessions.MOVE, *can_wait]),
        sessions_s=random.choice([0.0, 4.0]),
        hold_s=30.0,
        on_hold_deadline=random.choice(list(OnDeadline)),
        drain_s=random.choice([0.0, 5.0, 8.0]),
        on_drain_deadline=random.choice(list(OnDrainDeadline)),
        stop_s=20.0,
        swap_s=20.0,
        start_s=30.0,
        start_again_s=2.0,
        wrong_answer_s=5.0,
        check_s=15.0,
        progress_s=90.0,
        canary_bake_s=random.choice([0.0, 0.0, 5.0]),
        batch_bake_s=random.choice([0.0, 0.0, 3.0]),
        last_bake_s=random.choice([0.0, 0.0, 5.0]),
        old_versions_s=20.0,
        mend_again_s=5.0,
        hooks=frozenset(hook for hook in Hook if random.random() < 0.3),
        judge=JudgePolicy(
            mode=random.choice(list(Mode)),
            inconclusive=random.choice(list(Inconclusive)),
            extend_s=random.choice([0.0, 10.0]),
            hold_s=10.0,
        ),
    )
