"""Map the journal's values to those that a decision is based on. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bigred_server.model.action_record import ActionRecord, Outcome
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hook import Hook, HookState
from bigred_server.model.release import Release
from bigred_server.rollout.core.decision import Call
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Looks, NodeLook
from bigred_server.rollout.core.target import Strategy, Target

KnownReleases = Mapping[str, Release]

_HOOK_STATES = {
    None: HookState.RUNNING,
    Outcome.DONE: HookState.DONE,
    Outcome.FAILED: HookState.FAILED,
    Outcome.UNKNOWN: HookState.INTERRUPTED,
}


def by_digest(releases: Iterable[Release]) -> KnownReleases:
    """Return the releases of one app by their digests."""
    return {release.digest: release for release in releases}


def target_of(release: Release, strategy: Strategy) -> Target:
    """Return the target of a node that should run a release."""
    return Target(release.digest, release.marker, strategy, release.size)


def deployment_of(
    record: DeploymentRecord,
    known: KnownReleases,
    strategy: Strategy,
    hooks: Sequence[ActionRecord] = (),
) -> Deployment:
    """Return a deployment as a decision sees it; `hooks`: those of its actions that are hooks."""
    previous = known.get(record.previous) if record.previous else None
    return Deployment(
        record,
        target=target_of(known[record.digest], strategy),
        previous=target_of(previous, strategy) if previous else None,
        release=known[record.digest].version,
        hooks={
            Hook(action.kind): _HOOK_STATES[Outcome(action.outcome) if action.outcome else None]
            for action in hooks
        },
    )


def hook_environment(record: DeploymentRecord, call: Call, known: KnownReleases) -> dict[str, str]:
    """Return the environment variables that a hook receives."""
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


def recognised(looks: Looks, known: KnownReleases) -> Looks:
    """Fill in unreadable digests by the app's answers: no two releases answer the same."""
    by_marker = {release.marker: release.digest for release in known.values()}
    return {name: _recognised(look, by_marker) for name, look in looks.items()}


def _recognised(look: NodeLook, by_marker: Mapping[str, str]) -> NodeLook:
    if look.host.digest != UNKNOWN_DIGEST or not look.answer.ok:
        return look
    digest = by_marker.get(look.answer.marker, UNKNOWN_DIGEST)
    return replace(look, host=replace(look.host, digest=digest))
