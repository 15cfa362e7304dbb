"""What a rollout needs of a fleet: every effect on it, and every look.

Nothing in this room knows HAProxy or Tomcat; tests and simulations hand it fleets of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bigred_server.rollout.core.action import Action
from bigred_server.rollout.core.observation import Counters, Looks, Served


@dataclass(frozen=True)
class FleetLook:
    """The fleet seen once. `pid` and `counters` are HAProxy's; None while it can't be read.

    With several HAProxies `pid` is a number made of all of theirs: it changes when one of them is
    another process. `queued`: requests that wait for any node at all.
    `served`: what it counted at each node since it began.
    """

    nodes: Looks
    pid: int | None
    counters: Counters | None
    trouble: str = ""
    queued: int = 0
    served: Mapping[str, Served] = field(default_factory=dict)


class Fleet(Protocol):
    """What the controller needs of a fleet."""

    async def look(self, *, deep: bool) -> FleetLook:
        """Look at all nodes: at HAProxy's rows only, or `deep` at WAR, process and answer too."""

    async def act(self, action: Action) -> str:
        """Do one act; give the evidence. Raises BigredError when it did not work."""
