"""The state of an app, as published to lights, speech, the terminal and every subscriber."""

from collections.abc import Sequence

from bigred_broker.messages import (
    MOST_TEXT,
    AppEvent,
    AppEventType,
    AppState,
    NodeNote,
    NodeState,
    Progress,
    ReleaseNote,
)
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, candidate, counted, live_of
from bigred_server.model.timestamp import utc
from bigred_server.rollout.core import verdict_text
from bigred_server.rollout.core.node_phase import NodePhase, node_phase
from bigred_server.rollout.core.observation import Admin, Looks, NodeLook, OutBecause
from bigred_server.rollout.core.target import Target

_NODE_STATES = {
    NodePhase.UNKNOWN: NodeState.UNKNOWN,
    NodePhase.PENDING: NodeState.SERVING,
    NodePhase.DRAINING: NodeState.DRAINING,
    NodePhase.STOPPING: NodeState.STOPPING,
    NodePhase.SWAPPING: NodeState.SWAPPING,
    NodePhase.DEPLOYING: NodeState.SWAPPING,
    NodePhase.SHADOWED: NodeState.SWAPPING,
    NodePhase.STARTING: NodeState.STARTING,
    NodePhase.ADMITTING: NodeState.CHECKING,
    NodePhase.CHECKING: NodeState.CHECKING,
    NodePhase.SERVING: NodeState.SERVING,
}

_NAMED_CHANGES = 5
_NAMED_AUTHORS = 3


def app_state(
    app: str,
    record: DeploymentRecord | None,
    releases: Sequence[Release],
    looks: Looks,
    target: Target | None,
) -> AppState:
    """Return the state of an app: its running or else its last deployment, and its nodes."""
    by_digest = {release.digest: release for release in releases}
    live = live_of(releases)
    waiting = candidate(list(releases))
    running = record is not None and not record.phase.is_outcome
    done = [
        name
        for name in (record.nodes if record else ())
        if target and name in looks and node_phase(looks[name], target) is NodePhase.SERVING
    ]
    deployed = by_digest.get(record.digest) if record else None
    judged = record.judgement if record else None
    judgement = verdict_text.note(verdict_text.from_json(judged)) if judged else None
    return AppState(
        app=app,
        phase=record.phase if record else None,
        deployment=record.id if record else None,
        release=deployed.note() if deployed else None,
        live=live.note() if live else None,
        candidate=waiting.note(live) if waiting and not running else None,
        progress=Progress(done=len(done), total=len(record.nodes)) if record else None,
        nodes=tuple(
            NodeNote(
                name=name,
                state=_node_state(look, target if running else None, name, record),
                release=_version(look, by_digest),
            )
            for name, look in looks.items()
        ),
        who=record.who if record else "",
        since=utc(record.ended_at or record.started_at) if record else "",
        reason=record.reason[:500] if record else "",
        verdict=judgement.verdict if judgement else None,
        judgement=judgement,
    )


def changes(before: AppState | None, after: AppState, now: float) -> list[AppEvent]:
    """Return the events between two states: a new candidate, and nodes that changed."""
    if before is None:
        return []
    events = []
    waiting = after.candidate
    if waiting is not None and waiting != before.candidate:
        author = f" by {waiting.author}" if waiting.author else ""
        text = f"{waiting.version}{author} is ready to be deployed{_changes(waiting)}"
        events.append(_event(after, now, AppEventType.CANDIDATE, text))
    known = {node.name: node for node in before.nodes}
    for node in after.nodes:
        earlier = known.get(node.name)
        if earlier is not None and earlier.state is not node.state:
            events.append(_event(after, now, AppEventType.NODE, node.state.value, node.name))
    return events


def _changes(waiting: ReleaseNote) -> str:
    """Describe what a candidate changes, if that is known."""
    if not waiting.changed:
        return ""
    lines = [f"{one.message} ({one.author})" for one in waiting.changes[:_NAMED_CHANGES]]
    more = f"; and {waiting.changed - len(lines)} more" if waiting.changed > len(lines) else ""
    return f", with {changes_text(waiting)}: {'; '.join(lines)}{more}"


def changes_text(note: ReleaseNote) -> str:
    """Return how many changes a release has, and by whom: "3 changes by Ada and Linus"."""
    authors = list(dict.fromkeys(change.author for change in note.changes if change.author))
    if not authors:
        return counted(note.changed)
    if len(authors) > _NAMED_AUTHORS:
        authors = [*authors[:_NAMED_AUTHORS], "others"]
    names = authors[0] if len(authors) == 1 else f"{', '.join(authors[:-1])} and {authors[-1]}"
    return f"{counted(note.changed)} by {names}"


def _event(
    state: AppState, now: float, kind: AppEventType, text: str, node: str | None = None
) -> AppEvent:
    return AppEvent(
        event_type=kind,
        app=state.app,
        at=utc(now),
        deployment=state.deployment,
        phase=state.phase,
        node=node,
        text=text[:MOST_TEXT],
    )


def _node_state(
    look: NodeLook, target: Target | None, name: str, record: DeploymentRecord | None
) -> NodeState:
    if target is not None and record is not None:
        if name in (*record.skipped, *record.set_aside):
            return NodeState.SKIPPED
        phase = node_phase(look, target)
        if phase is not NodePhase.PENDING or look.pool.up:
            return _NODE_STATES[phase]
    if look.pool.admin is Admin.UNKNOWN:
        return NodeState.UNKNOWN
    if look.pool.admin is Admin.READY:
        return NodeState.SERVING if look.pool.up else NodeState.DOWN
    if look.pool.admin is Admin.MAINT and look.pool.because is not OutBecause.UNRESOLVED:
        return NodeState.MAINT
    return NodeState.DRAINING if look.pool.admin is Admin.DRAIN else NodeState.DOWN


def _version(look: NodeLook, by_digest: dict[str, Release]) -> str:
    if not look.host.digest:
        return ""
    known = by_digest.get(look.host.digest)
    return known.version if known else look.host.digest[:12]
