"""Between deployments: repair nodes that were left out, and remove old versions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.context_version import newest
from bigred_server.rollout.core.node_phase import NodePhase, node_phase
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Admin, Looks, NodeLook
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.target import Strategy, Target


@dataclass(frozen=True)
class PendingWork:
    """What the last deployment of an app left undone.

    `skipped` nodes were down, those `set_aside` failed. `failed_at`: by node, the Unix time of the
    last failure, in that deployment or in a repair since. `ended_at`: the end of that deployment.
    """

    skipped: Sequence[str] = ()
    set_aside: Sequence[str] = ()
    failed_at: Mapping[str, float] | None = None
    ended_at: float = 0.0


def to_repair(
    looks: Looks, live: Target, left: PendingWork, policy: Policy, now: float
) -> str | None:
    """Return the next node to be brought to the live release, if any; `now` is Unix time.

    Only nodes that the last deployment left out count: people may be working on the others.
    """
    failed_at = left.failed_at or {}
    for name in (*left.skipped, *left.set_aside):
        look = looks.get(name)
        if look is None or look.pool.admin is Admin.UNKNOWN or look.host.digest is None:
            continue
        if node_phase(look, live) is NodePhase.SERVING:
            continue
        # A skipped node is back when HAProxy says so; one that was set aside waits for us.
        is_back = is_serving(look) if name in left.skipped else True
        if is_back and now - failed_at.get(name, float("-inf")) >= policy.mend_again_s:
            return name
    return None


def to_clean_up(
    looks: Looks, live: Target, left: PendingWork, policy: Policy, now: float
) -> list[Action]:
    """Return the old versions to undeploy, one per node: without sessions, or past a deadline."""
    if live.strategy is not Strategy.PARALLEL:
        return []
    is_late = now - left.ended_at >= policy.old_versions_s
    found = ((name, _old(look, live, is_late=is_late)) for name, look in looks.items())
    return [Action(ActionKind.UNDEPLOY, name, live, old) for name, old in found if old is not None]


def _old(look: NodeLook, live: Target, *, is_late: bool) -> str | None:
    if node_phase(look, live) is not NodePhase.SERVING:
        return None
    versions = look.host.versions or ()
    first = newest(versions)
    if first is None or first.digest not in (live.digest, UNKNOWN_DIGEST):
        return None
    old = [one for one in versions if one.name < first.name and (is_late or not one.sessions)]
    return old[0].name if old else None
