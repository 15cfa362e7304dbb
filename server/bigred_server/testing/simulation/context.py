"""A simulated context: one version of the app in a running Tomcat."""

from dataclasses import dataclass, field


@dataclass
class Context:
    """The loaded WAR's digest, and when it was loaded (seconds of the fleet's clock).

    It answers from `ready_at_s` on. `works`: False if it failed or somebody stopped it. `sessions`:
    when each session ends.
    """

    digest: str
    since_s: float
    ready_at_s: float
    works: bool = True
    sessions: list[float] = field(default_factory=list)

    def is_ready(self, now_s: float) -> bool:
        """Return whether it serves users."""
        return self.works and now_s >= self.ready_at_s

    def age(self, now_s: float) -> None:
        """Remove the sessions that have ended."""
        self.sessions = [end_s for end_s in self.sessions if end_s > now_s]
