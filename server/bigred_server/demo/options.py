"""The site on the stage: what can be special about it, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.rollout.core.policy import Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import ReachBy, SshSettings

Value = str | int | float | bool | tuple[str, ...]
Tables = Mapping[str, Mapping[str, Value]]

SERVER = "bigred-server"


@dataclass(frozen=True)
class DemoOptions:
    """A site; as it stands, that of the demo.

    `ssh`: how all nodes are reached with reach = "ssh". `sticky`: HAProxy keeps each user on their
    node by a cookie. `counted`: the Managers are there to count sessions, also where the strategy
    needs none. `haproxies`: how many stand before the nodes. `database`: a PostgreSQL's address
    instead of the SQLite file; then there may be several `servers`. `prefix` goes before the nodes'
    commands. `more`: tables of the configuration, by their full names; they win over the stage's.
    """

    strategy: Strategy = Strategy.RESTART
    sessions: Sessions = Sessions.MOVE
    reach: ReachBy = ReachBy.LOCAL
    ssh: SshSettings | None = None
    sticky: bool = False
    counted: bool = False
    haproxies: int = 1
    database: str = ""
    servers: tuple[str, ...] = (SERVER,)
    prefix: tuple[str, ...] = ()
    more: Tables = field(default_factory=dict)

    @property
    def has_managers(self) -> bool:
        """Whether each Tomcat has its Manager."""
        return (
            self.counted
            or self.strategy is not Strategy.RESTART
            or self.sessions is Sessions.WAIT
            or self.reach is ReachBy.MANAGER
        )
