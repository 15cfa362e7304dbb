"""Before any node is touched: decide whether the deployment may begin, and on which nodes."""

from bigred_broker.messages import Phase
from bigred_server.model import disk_space
from bigred_server.model.command import Command
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core import availability, sentences
from bigred_server.rollout.core.availability import counts, is_serving, min_healthy
from bigred_server.rollout.core.decision import Call, Decision
from bigred_server.rollout.core.next_action import lacks_release
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Admin
from bigred_server.rollout.core.view import View


def prepare(view: View) -> Decision:
    """Decide whether to begin, to wait, or to end with no node touched."""
    match view.record.command:
        case Command.ROLLBACK | Command.ABORT:
            return Decision(Phase.ABORTED, reason=sentences.ASKED_TO_STOP)
        case Command.HOLD:
            reason = sentences.asked(Command.HOLD, view.record.commanded_by)
            return Decision(Phase.HOLDING, reason=reason, held_for=HeldFor.ASKED)
    if view.record.mends is not None:
        return _prepare_repair(view, view.record.mends)
    looks = view.looks
    if any(look.pool.admin is Admin.UNKNOWN for look in looks.values()):
        return _until_decided(view, tuple(looks), sentences.FLEET_UNKNOWN)
    if reason := availability.obstacle(looks, view.sharing, view.policy):
        return Decision(Phase.ABORTED, reason=reason)
    serving = [name for name, look in looks.items() if is_serving(look)]
    # Those that get their share of all users come first: a canary must meet some.
    healthy = tuple(sorted(serving, key=lambda name: not counts(looks[name])))
    skipped = tuple(name for name in looks if name not in healthy)
    is_empty = not healthy or not any(look.host.digest for look in looks.values())
    if view.deployment.previous is None and is_empty:
        # The very first release: there are no users yet who could be harmed.
        healthy, skipped = tuple(looks), ()
    elif (hindered := _hindrance(view, healthy)) is not None:
        return hindered
    if reason := _no_disk_space(view, healthy):
        return Decision(Phase.ABORTED, reason=reason)
    return _before(view) or Decision(
        Phase.CANARY if view.policy.canary else Phase.ROLLING, nodes=healthy, skipped=skipped
    )


def _prepare_repair(view: View, name: str) -> Decision:
    if view.sharing:
        return Decision(Phase.ABORTED, reason=sentences.shared(view.sharing))
    look = view.looks.get(name)
    if look is None:
        return Decision(Phase.ABORTED, reason=sentences.NO_NODES)
    if look.pool.admin is Admin.UNKNOWN or look.host.digest is None:
        return _until_decided(view, (name,), sentences.unreachable(name, look.problem))
    if reason := _no_disk_space(view, (name,)):
        return Decision(Phase.ABORTED, reason=reason)
    return Decision(Phase.ROLLING, nodes=(name,))


def _hindrance(view: View, healthy: tuple[str, ...]) -> Decision | None:
    looks, needed = view.looks, min_healthy(view.looks, view.policy)
    counted = sum(counts(looks[name]) for name in healthy)
    if counted - 1 < needed:
        total = availability.active(looks)
        kind = "nodes" if total == len(looks) else "active nodes"
        reason = sentences.too_few(counted, total, needed, kind)
        return Decision(Phase.ABORTED, reason=reason)
    unread = tuple(name for name in healthy if looks[name].host.digest is None)
    if unread:
        return _until_decided(
            view, unread, sentences.unreachable(unread[0], looks[unread[0]].problem)
        )
    unknown_digest = [name for name in healthy if looks[name].host.digest == UNKNOWN_DIGEST]
    if unknown_digest and view.deployment.previous is None:
        return Decision(Phase.ABORTED, reason=sentences.unknown_digest(unknown_digest[0]))
    return None


def _until_decided(view: View, names: tuple[str, ...], reason: str) -> Decision:
    if any(view.waited_s(name) > view.policy.check_s for name in names):
        return Decision(Phase.ABORTED, reason=reason)
    return Decision(Phase.PREPARING)


def _no_disk_space(view: View, names: tuple[str, ...]) -> str:
    needed = disk_space.on_a_node(view.target.size)
    for name in names:
        free = view.looks[name].host.free
        if free is not None and free < needed and lacks_release(view, name):
            return sentences.no_disk_space(name, free, needed)
    return ""


def _before(view: View) -> Decision | None:
    """Run the hook `before` once; a run whose end is unknown is not repeated."""
    if Hook.BEFORE not in view.policy.hooks:
        return None
    match view.deployment.hooks.get(Hook.BEFORE):
        case None:
            return Decision(Phase.PREPARING, hook=Call(Hook.BEFORE))
        case HookState.RUNNING:
            return Decision(Phase.PREPARING)
        case HookState.DONE:
            return None
        case HookState.FAILED:
            return Decision(Phase.ABORTED, reason=sentences.BEFORE_FAILED)
        case HookState.INTERRUPTED:
            return Decision(Phase.ABORTED, reason=sentences.BEFORE_INTERRUPTED)
