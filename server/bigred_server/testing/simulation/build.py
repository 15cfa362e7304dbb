"""A simulated build: how a WAR behaves once a Tomcat runs it."""

from dataclasses import dataclass

from bigred_server.rollout.core.observation import Answer
from bigred_server.rollout.core.target import Strategy, Target

MIB = 1024 * 1024


@dataclass(frozen=True)
class SimulatedBuild:
    """One WAR. All times are in seconds.

    `start_s`: from the process's start to the app's first answer; infinite for an app that never
    answers. `lives_s`: the process ends by itself after so long. `says`: what it answers as its
    release, "" for its own marker. `ok`: whether it answers with the wanted status. `passes`:
    whether HAProxy's check is content with it. `size` in bytes.
    """

    digest: str
    marker: str
    start_s: float = 2.0
    lives_s: float = float("inf")
    says: str = ""
    ok: bool = True
    passes: bool = True
    size: int = 10 * MIB

    @property
    def target(self) -> Target:
        """What a node is to run when this build is wanted, by a restart."""
        return self.wanted(Strategy.RESTART)

    @property
    def starts(self) -> bool:
        """Whether it ever answers."""
        return self.start_s < float("inf")

    @property
    def answer(self) -> Answer:
        """What the app answers once it is up."""
        said = self.says or self.marker
        return Answer(came=True, ok=self.ok, marker=said, text=f"release {said}, ok={self.ok}")

    def wanted(self, strategy: Strategy) -> Target:
        """Give the goal of a node that gets there by a strategy."""
        return Target(self.digest, self.marker, strategy, self.size)
