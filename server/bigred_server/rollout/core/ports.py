"""What a rollout needs of a fleet: every effect on it, and every look.

Nothing in this room knows HAProxy or Tomcat; tests and simulations hand it fleets of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bigred_server.judge.look import Bin, Look, Span
from bigred_server.model.json_object import Json
from bigred_server.rollout.core.action import Action
from bigred_server.rollout.core.deployment import Deployment
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


@dataclass(frozen=True)
class Observations:
    """What the witness tells; `usual`: the share of errors before all this.

    `is_whole`: the look has ended; else it is one that still goes on, as it is so far. `spans` are
    the new release's, `reference` what they are held against.
    """

    look: Look
    is_whole: bool = True
    usual: float = 0.0
    spans: Sequence[Span] = ()
    reference: Sequence[Span] = ()
    bins: Sequence[Bin] = ()


class Telemetry(Protocol):
    """Who sees what users get of one app."""

    def rest(self, look: FleetLook, now: float) -> None:
        """Take in a look at the fleet while no deployment runs: learn what is usual."""

    def begin(self, kept: Json | None) -> Json:
        """Freeze what is usual, or take what was frozen before; give it, to be kept."""

    def see(
        self, look: FleetLook, deployment: Deployment, now: float, *, last: bool = False
    ) -> Observations | None:
        """Take in a look at the fleet (Unix time); tell something about once a second.

        The `last` time it tells what it has, however short the time.
        """

    def probe(self, *, wanted: bool) -> None:
        """Send requests of its own from now on, or no longer."""
