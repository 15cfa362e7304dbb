"""A simulated context: one version of the app in a Tomcat that runs."""

from dataclasses import dataclass, field


@dataclass
class Context:
    """What was loaded, and when (seconds of the fleet's clock); it answers from `ready_at_s` on.

    `works` is False for one that failed, or that somebody stopped. `sessions`: when each ends.
    """

    digest: str
    since_s: float
    ready_at_s: float
    works: bool = True
    sessions: list[float] = field(default_factory=list)

    def is_ready(self, now_s: float) -> bool:
        """Whether users get it."""
        return self.works and now_s >= self.ready_at_s

    def age(self, now_s: float) -> None:
        """Let sessions end."""
        self.sessions = [end_s for end_s in self.sessions if end_s > now_s]
