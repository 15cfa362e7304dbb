"""The gates: whether a box may arm or fire now, and in which words not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bigred_broker.messages import Phase, Refusal
from bigred_server.model.release import Release, Stage, candidate, live_of


@dataclass(frozen=True)
class GateState:
    """What the gates look at.

    `running` is the phase of a deployment that runs, `running_version` and `running_who` tell of
    it; `mends` is the one node that it brings back to the live release. `healthy` of `total` nodes
    serve; `trouble` says why HAProxy could not be read. Of an app that is deployed elsewhere: `run`
    is what would be started there, `hindrance` the sentence that is against it.
    """

    app: str
    releases: Sequence[Release]
    running: Phase | None = None
    running_version: str = ""
    running_who: str = ""
    mends: str | None = None
    healthy: int = 0
    total: int = 0
    min_healthy: int = 0
    trouble: str = ""
    run: Release | None = None
    hindrance: str = ""

    @property
    def fires(self) -> Release | None:
        """What a press would make live."""
        return self.run or candidate(list(self.releases))


@dataclass(frozen=True)
class GateRefusal:
    """A refusal: the code for programs, the reason for people."""

    code: Refusal
    reason: str


def gate(state: GateState) -> GateRefusal | None:
    """Give the first reason against a deployment, or None when there is none."""
    if state.running is not None and state.mends is not None:
        return GateRefusal(
            Refusal.RUNNING,
            f"{state.mends} of {state.app} is being brought back to {state.running_version}; "
            "try again when it serves",
        )
    if state.running is not None:
        return GateRefusal(
            Refusal.RUNNING,
            f"{state.app} {state.running_version} by {state.running_who} is on its way: "
            f"{state.running.replace('_', ' ')}",
        )
    if state.hindrance:
        return GateRefusal(Refusal.UNHEALTHY, state.hindrance)
    if state.run is not None:
        return None
    if candidate(list(state.releases)) is None:
        return GateRefusal(Refusal.NO_CANDIDATE, _no_candidate(state))
    if state.trouble:
        return GateRefusal(
            Refusal.UNHEALTHY, f"the nodes of {state.app} can't be seen: HAProxy is away"
        )
    # A first release that failed counts for nothing: the next one must be able to mend it.
    never_live = not any(r.stage in (Stage.LIVE, Stage.RETIRED) for r in state.releases)
    if state.healthy - 1 < state.min_healthy and not (never_live and state.healthy == 0):
        return GateRefusal(
            Refusal.UNHEALTHY,
            f"{state.healthy} of {state.total} nodes of {state.app} are up and "
            f"{state.min_healthy} must stay up",
        )
    return None


def _no_candidate(state: GateState) -> str:
    live = live_of(state.releases)
    newest = max(state.releases, key=lambda r: r.submitted_at, default=None)
    if newest is not None and newest.stage is Stage.BAD:
        return f"{state.app} {newest.version} was rolled back and is bad; nothing newer is ready"
    if live is not None:
        return f"{state.app} {live.version} is live and nothing newer is ready"
    return f"no release of {state.app} is ready"
