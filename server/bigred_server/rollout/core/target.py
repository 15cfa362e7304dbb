"""The target: the release that a node should run, and the strategy to get there."""

from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """How a release gets onto a node.

    RESTART: stop Tomcat, swap the WAR, start Tomcat. REDEPLOY: the Manager replaces the app in the
    running Tomcat of a drained node. PARALLEL: the Manager adds a new version alongside the old
    one; sessions stay where they are.
    """

    RESTART = "restart"
    REDEPLOY = "redeploy"
    PARALLEL = "parallel"


@dataclass(frozen=True)
class Target:
    """The release that a node should run.

    `digest`: of its WAR, of `size` bytes. `marker`: what the running app answers as its release.
    """

    digest: str
    marker: str
    strategy: Strategy = Strategy.RESTART
    size: int = 0
