"""Choose the nodes to update next, and the actions due on the nodes being updated."""

from bigred_server.rollout.core.action import OUT_OF_POOL, Action, ActionKind
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.fetch import is_fetching
from bigred_server.rollout.core.next_action import closing_kind, lacks_release, may_try, next_action
from bigred_server.rollout.core.node_phase import SETTLED, NodePhase
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.view import View


def actions(view: View, nodes: tuple[str, ...], batch: int) -> tuple[Action, ...]:
    """Return the actions due on nodes being updated, then start more as batch and pool allow.

    A batch of 0 starts none: nodes being updated are finished, no more.
    """
    node_phases = view.node_phases
    updating = [name for name in nodes if _is_updating(view, name)]
    due = [action for name in updating if (action := next_action(view, name, node_phases[name]))]
    for name in nodes if batch else ():
        if node_phases[name] is not NodePhase.PENDING or name in view.busy:
            continue
        if _serves_nobody(view.looks[name], is_batch_full=len(updating) >= batch):
            # Taking it out of the pool costs nobody anything, so no limit applies.
            due.append(Action(closing_kind(view), name, view.target))
            updating.append(name)
        elif len(updating) < batch and view.may_remove([*updating, name]):
            due += _start_update(view, name)
            updating.append(name)
    return (*due, *_reasserted(view))


def closing(view: View) -> tuple[Action, ...]:
    """Take nodes out of the pool that were set aside and are still, or again, in it."""
    due: list[Action] = []
    for name in view.record.set_aside:
        look = view.looks.get(name)
        if look is None or name in view.busy or look.pool.admin in (Admin.MAINT, Admin.UNKNOWN):
            continue
        removed = [*(action.node for action in due), name]
        if _is_out_of_service(look) or view.may_remove(removed):
            due.append(Action(ActionKind.MAINT, name, view.target))
    return tuple(due)


def _is_updating(view: View, name: str) -> bool:
    if is_fetching(view, name):
        return False
    return name in view.busy or view.node_phases[name] not in SETTLED


def _start_update(view: View, name: str) -> list[Action]:
    if not lacks_release(view, name):
        return [Action(closing_kind(view), name, view.target)]
    return [Action(ActionKind.FETCH, name, view.target)] if may_try(view, name) else []


def _serves_nobody(look: NodeLook, *, is_batch_full: bool) -> bool:
    # If the app answers us although HAProxy reports the node down, it may be back in a moment:
    # while the batch is full, the node waits its turn.
    return _is_out_of_service(look) and not (look.answer.ok and is_batch_full)


def _is_out_of_service(look: NodeLook) -> bool:
    return not is_serving(look) and not look.pool.partially_up


def _reasserted(view: View) -> tuple[Action, ...]:
    """Close nodes being updated again if HAProxy opened them: it restarted and lost its states."""
    return tuple(
        Action(closing_kind(view), name, view.target)
        for name, kind in view.busy.items()
        if kind in OUT_OF_POOL and view.looks[name].pool.admin in (Admin.READY, Admin.MIXED)
    )
