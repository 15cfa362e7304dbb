"""The gates: whether a box may arm or fire now, and if not, the reason. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bigred_broker.messages import Phase, Refusal
from bigred_server.model.release import Release, Stage, candidate, live_of


@dataclass(frozen=True)
class GateState:
    """What the gates examine.

    `releases`: the live one and those submitted since, or all if none is live. `running`: the phase
    of a running deployment, of release `running_version` by `running_who`; `mends`: the one node
    that it repairs. `healthy` of `total` nodes serve; `problem`: why HAProxy could not be read;
    `obstacle`: why its configuration allows no deployment. For an app that Jenkins deploys, there
    are no releases; `run`: the one that would be started there, `hindrance`: the reason why it
    can't be.
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
    problem: str = ""
    obstacle: str = ""
    run: Release | None = None
    hindrance: str = ""

    @property
    def fires(self) -> Release | None:
        """The release that a press would make live."""
        return self.run or candidate(list(self.releases))


@dataclass(frozen=True)
class GateRefusal:
    """A refusal: the code for programs, the reason for people."""

    code: Refusal
    reason: str


def gate(state: GateState) -> GateRefusal | None:
    """Return the first reason against a deployment, or None if there is none."""
    if state.running is not None and state.mends is not None:
        return GateRefusal(
            Refusal.RUNNING,
            f"{state.mends} of {state.app} is being brought back to {state.running_version}; "
            "try again when it serves",
        )
    if state.running is not None:
        return GateRefusal(
            Refusal.RUNNING,
            f"{state.app} {state.running_version} by {state.running_who} is in progress: "
            f"{state.running.replace('_', ' ')}",
        )
    if state.hindrance:
        return GateRefusal(Refusal.UNHEALTHY, state.hindrance)
    if state.run is not None:
        return None
    if candidate(list(state.releases)) is None:
        return GateRefusal(Refusal.NO_CANDIDATE, _no_candidate(state))
    if state.problem:
        return GateRefusal(
            Refusal.UNHEALTHY,
            f"the state of the nodes of {state.app} is unknown: HAProxy does not answer",
        )
    if state.obstacle:
        return GateRefusal(Refusal.UNHEALTHY, state.obstacle)
    # A first release that failed does not count: the next one must be able to fix it.
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
