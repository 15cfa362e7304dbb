"""The goal: what a node is to run, and by which strategy it gets there."""

from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """How a release gets onto a node.

    RESTART: Tomcat is stopped, the WAR swapped, Tomcat started. REDEPLOY: the Manager replaces the
    app in the living Tomcat of a drained node. PARALLEL: the Manager puts a new version beside the
    old one; sessions stay where they are.
    """

    RESTART = "restart"
    REDEPLOY = "redeploy"
    PARALLEL = "parallel"


@dataclass(frozen=True)
class Target:
    """What a node is to run: the WAR's digest, and what the app then answers as its release."""

    digest: str
    marker: str
    strategy: Strategy = Strategy.RESTART
    size: int = 0
