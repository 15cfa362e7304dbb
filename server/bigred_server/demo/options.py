"""Options of the demo site's site, as plain values."""

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
    """Options of a site; the defaults are those of the demo.

    `ssh`: how all nodes are reached with reach = "ssh". `sticky`: HAProxy keeps each user on one
    node by a cookie. `counted`: Tomcat's Managers are installed to count sessions, even if the
    strategy does not need them. `haproxies`: the number of HAProxies in front of the nodes.
    `database`: the URL of a PostgreSQL database instead of the SQLite file; it allows several
    `servers`. `prefix`: prepended to the nodes' commands. `paths`: further backends of the shop,
    and the beginning of the paths that lead to them. `more`: tables of the configuration, by their
    full names; they override those of the demo site.
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
    paths: tuple[tuple[str, str], ...] = ()
    more: Tables = field(default_factory=dict)

    @property
    def has_managers(self) -> bool:
        """Whether each Tomcat has a Manager."""
        return (
            self.counted
            or self.strategy is not Strategy.RESTART
            or self.sessions is Sessions.WAIT
            or self.reach is ReachBy.MANAGER
        )
