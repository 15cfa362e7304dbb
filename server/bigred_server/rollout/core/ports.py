"""The protocols between a rollout and the world: all looks at a fleet, and all effects on it.

Nothing in this package knows HAProxy or Tomcat; tests and simulations bring fleets of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bigred_server.judge.look import Bin, Look, Span
from bigred_server.model.json_object import Json
from bigred_server.rollout.core.action import Action
from bigred_server.rollout.core.availability import Sharing
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.observation import (
    NOTHING_COUNTED,
    Coverage,
    Looks,
    NodeLook,
    ProcessCounters,
    Served,
)


@dataclass(frozen=True)
class FleetLook:
    """One observation of the fleet. `pid`: HAProxy's; None while it can't be read.

    With several HAProxies, `pid` is a number computed from all of theirs: it changes when one of
    them is a new process. `counters`: what each HAProxy counted, by its address; empty while one of
    them can't be read. `queued`: requests waiting for any of the nodes. `served`: what HAProxy
    counted at each node since its start. `problem`: why HAProxy can't be read. `coverage`: whose
    requests are counted. `sharing`: backends with the same Tomcats that are not the app's.
    `servers`: what the app's first backend calls a server, by (backend, server).
    """

    nodes: Looks
    pid: int | None
    counters: Mapping[str, ProcessCounters]
    problem: str = ""
    queued: int = 0
    served: Mapping[str, Served] = field(default_factory=dict)
    coverage: Coverage = NOTHING_COUNTED
    sharing: Sharing = field(default_factory=dict)
    servers: Mapping[tuple[str, str], str] = field(default_factory=dict)


class Fleet(Protocol):
    """What the reconciler needs from a fleet."""

    async def look(self, *, deep: bool, recent: bool = False) -> FleetLook:
        """Look at all nodes: at HAProxy's rows only, or if `deep` also at WAR, process and app.

        `recent`, between deployments: HAProxy's rows may be half a second old, and what nodes in
        service have shown four seconds.
        """

    async def act(self, action: Action) -> str:
        """Perform one action and return the evidence. Raise BigredError if it did not work."""

    def rest(self) -> None:
        """Keep no connection to a node open until the next look: others may stop it meanwhile."""

    async def until_changed(self, look: NodeLook) -> None:
        """Return when a node seems to be what a rollout waits for since this look; perhaps never.

        Never raise. It is a hint that the next look is worth while, and no evidence of anything.
        """


@dataclass(frozen=True)
class Observations:
    """What the telemetry observed; `usual`: the share of errors before the deployment.

    `is_whole`: the look is complete; if not, it contains what was observed so far. `spans`: those
    of the new release; `reference`: the spans to compare them with.
    """

    look: Look
    is_whole: bool = True
    usual: float = 0.0
    spans: Sequence[Span] = ()
    reference: Sequence[Span] = ()
    bins: Sequence[Bin] = ()


class Telemetry(Protocol):
    """What observes the service that users of one app get."""

    def rest(self, look: FleetLook, now: float) -> None:
        """Process a look at the fleet while no deployment runs: update the baseline."""

    def begin(self, kept: Json | None) -> Json:
        """Freeze the baseline, or restore the one that was `kept`; return it, to be stored."""

    def see(
        self, look: FleetLook, deployment: Deployment, now: float, *, last: bool = False
    ) -> Observations | None:
        """Process a look at the fleet (`now`: Unix time); return observations about once a second.

        The `last` time, return what was observed so far, however short the time.
        """

    def probe(self, *, wanted: bool) -> None:
        """Start or stop sending probe requests."""
