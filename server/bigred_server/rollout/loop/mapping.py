"""From what the journal keeps to what a decision is made of. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bigred_server.journal.acts import ActRecord, Outcome
from bigred_server.journal.deployments import Record
from bigred_server.model.hook import Hook, HookState
from bigred_server.model.release import Release
from bigred_server.rollout.core.decision import Call
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.observation import UNTOLD, Looks, NodeLook
from bigred_server.rollout.core.target import Goal, Strategy

Known = Mapping[str, Release]

_HOOK_STATES = {
    None: HookState.RUNNING,
    Outcome.DONE: HookState.DONE,
    Outcome.FAILED: HookState.FAILED,
    Outcome.UNKNOWN: HookState.INTERRUPTED,
}


def by_digest(releases: Iterable[Release]) -> Known:
    """Give the releases of one app by their digests."""
    return {release.digest: release for release in releases}


def goal_of(release: Release, strategy: Strategy) -> Goal:
    """Say what a node is to run, and how it gets there, when a release is wanted."""
    return Goal(release.digest, release.marker, strategy, release.size)


def deployment_of(
    record: Record, known: Known, strategy: Strategy, hooks: Sequence[ActRecord] = ()
) -> Deployment:
    """Give a deployment as the decision sees it; `hooks` are the acts that were hooks."""
    previous = known.get(record.previous) if record.previous else None
    return Deployment(
        id=record.id,
        app=record.app,
        phase=record.phase,
        goal=goal_of(known[record.digest], strategy),
        previous=goal_of(previous, strategy) if previous else None,
        nodes=record.nodes,
        skipped=record.skipped,
        set_aside=record.set_aside,
        mends=record.mends,
        command=record.command,
        commanded_by=record.commanded_by,
        release=known[record.digest].version,
        held_for=record.held_for,
        tolerates=record.tolerates,
        hooks={
            Hook(act.kind): _HOOK_STATES[Outcome(act.outcome) if act.outcome else None]
            for act in hooks
        },
    )


def hook_environment(record: Record, call: Call, known: Known) -> dict[str, str]:
    """Give what a hook is told, as variables of its environment."""
    previous = known.get(record.previous or "")
    return {
        "BIGRED_APP": record.app,
        "BIGRED_DEPLOYMENT": record.id,
        "BIGRED_HOOK": call.hook,
        "BIGRED_RELEASE": known[record.digest].version,
        "BIGRED_DIGEST": record.digest,
        "BIGRED_PREVIOUS": previous.version if previous else "",
        "BIGRED_WHO": record.who,
        "BIGRED_OUTCOME": call.outcome or "",
        "BIGRED_REASON": call.reason,
    }


def recognised(looks: Looks, known: Known) -> Looks:
    """Fill in digests that can't be seen, by what the app says: no two releases say the same."""
    by_marker = {release.marker: release.digest for release in known.values()}
    return {name: _recognised(look, by_marker) for name, look in looks.items()}


def _recognised(look: NodeLook, by_marker: Mapping[str, str]) -> NodeLook:
    if look.digest != UNTOLD or not look.answer.ok:
        return look
    return replace(look, digest=by_marker.get(look.answer.marker, UNTOLD))
