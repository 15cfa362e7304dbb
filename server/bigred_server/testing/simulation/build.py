"""A simulated build: how a WAR behaves once a Tomcat runs it."""

from dataclasses import dataclass

from bigred_server.rollout.core.observation import Answer
from bigred_server.rollout.core.target import Strategy, Target

MIB = 1024 * 1024


@dataclass(frozen=True)
class SimulatedBuild:
    """One WAR. All times are in seconds.

    `start_s`: from the process's start to the app's first answer; infinite for an app that never
    answers. `lives_s`: after this time the process exits by itself. `says`: what it answers as its
    release, "" for its own marker. `ok`: whether it answers with the expected status. `passes`:
    whether HAProxy's check passes. `size` is in bytes.
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
        """The target of a node that should run this build, by a restart."""
        return self.wanted(Strategy.RESTART)

    @property
    def starts(self) -> bool:
        """Whether the app ever answers."""
        return self.start_s < float("inf")

    @property
    def answer(self) -> Answer:
        """The app's answer once it is up."""
        marker = self.says or self.marker
        return Answer(came=True, ok=self.ok, marker=marker, text=f"release {marker}, ok={self.ok}")

    def wanted(self, strategy: Strategy) -> Target:
        """Return the target of a node that should run this build, by a strategy."""
        return Target(self.digest, self.marker, strategy, self.size)
