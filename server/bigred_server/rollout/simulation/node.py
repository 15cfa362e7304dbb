"""A simulated node: a machine with a WAR on its disk and a Tomcat that may run."""

from collections.abc import Mapping
from dataclasses import dataclass

from bigred_server.rollout.look import Answer
from bigred_server.rollout.simulation.build import Build


@dataclass
class SimulatedNode:
    """One machine. Times are seconds of the fleet's clock.

    `digest`: of the WAR on the disk, "" for none. `running`: the digest that the process loaded
    when it started, None when there is no process. `stopping`: it was told to end and takes no
    more requests. `alive` is False while the whole machine is gone; `hangs` while the app is there
    and answers nobody.
    """

    builds: Mapping[str, Build]
    digest: str
    running: str | None
    started_at_s: float = float("-inf")
    stopping: bool = False
    alive: bool = True
    hangs: bool = False

    def age(self, now_s: float) -> None:
        """Let the process end when its build lives no longer."""
        build = self.builds.get(self.running or "")
        if build and now_s - self.started_at_s >= build.lives_s < float("inf"):
            self.end()

    def start(self, now_s: float) -> None:
        """Start Tomcat; nothing happens while it runs."""
        if self.running is None:
            self.running, self.started_at_s, self.stopping = self.digest, now_s, False
            self.hangs = False

    def end(self) -> None:
        """Have the process gone."""
        self.running, self.stopping, self.hangs = None, False, False

    def die(self) -> None:
        """Have the machine gone, and the process with it."""
        self.alive = False
        self.end()

    def answer(self, now_s: float) -> Answer:
        """Give what the app answers on the node's own port."""
        build = self.builds.get(self.running or "")
        if build is None or not self.alive or self.stopping or self.hangs:
            return Answer()
        return build.answer if now_s - self.started_at_s >= build.start_s else Answer()

    def passes(self, now_s: float) -> bool:
        """Say whether HAProxy's check is content."""
        build = self.builds.get(self.running or "")
        return build is not None and build.passes and self.answer(now_s).came
