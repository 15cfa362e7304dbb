"""Which nodes are taken, and what is due on those in hand."""

from bigred_server.rollout.core.action import HANDS_OFF, Action, ActionKind
from bigred_server.rollout.core.next_action import closing_kind, lacks_release, may_try, next_action
from bigred_server.rollout.core.node_phase import NodePhase
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.view import View, is_serving

_SETTLED = frozenset({NodePhase.SERVING, NodePhase.TAKING})


def actions(view: View, nodes: tuple[str, ...], batch: int) -> tuple[Action, ...]:
    """Go on with the nodes in hand, then take more while the batch and the pool allow it.

    A batch of 0 takes none: what is in hand is made whole, and no more.
    """
    node_phases = view.node_phases
    in_hand = [name for name in nodes if name in view.busy or node_phases[name] not in _SETTLED]
    due = [action for name in in_hand if (action := next_action(view, name, node_phases[name]))]
    for name in nodes if batch else ():
        if node_phases[name] is not NodePhase.TAKING or name in view.busy:
            continue
        if _is_of_use_to_nobody(view.looks[name], others_in_hand=len(in_hand) >= batch):
            # Closing the door on it costs nothing and needs no leave.
            due.append(Action(closing_kind(view), name, view.target))
            in_hand.append(name)
        elif len(in_hand) < batch and view.may_remove([*in_hand, name]):
            due += _removed(view, name)
            in_hand.append(name)
    return (*due, *_reasserted(view))


def closing(view: View) -> tuple[Action, ...]:
    """Close the door on nodes that were set aside and are still, or again, in the pool."""
    due: list[Action] = []
    for name in view.record.set_aside:
        look = view.looks.get(name)
        if look is None or name in view.busy or look.pool.admin in (Admin.MAINT, Admin.UNKNOWN):
            continue
        taken = [*(action.node for action in due), name]
        if _is_out_of_use(look) or view.may_remove(taken):
            due.append(Action(ActionKind.MAINT, name, view.target))
    return tuple(due)


def _removed(view: View, name: str) -> list[Action]:
    if not lacks_release(view, name):
        return [Action(closing_kind(view), name, view.target)]
    return [Action(ActionKind.FETCH, name, view.target)] if may_try(view, name) else []


def _is_of_use_to_nobody(look: NodeLook, *, others_in_hand: bool) -> bool:
    # An app that answers us may be back in a moment where HAProxy finds it down: with others in
    # hand it waits for its turn.
    return _is_out_of_use(look) and not (look.answer.ok and others_in_hand)


def _is_out_of_use(look: NodeLook) -> bool:
    return not is_serving(look) and not look.pool.partially_up


def _reasserted(view: View) -> tuple[Action, ...]:
    """Close the door again on nodes in hand that HAProxy opened: it restarted and forgot."""
    return tuple(
        Action(closing_kind(view), name, view.target)
        for name, kind in view.busy.items()
        if kind in HANDS_OFF and view.looks[name].pool.admin in (Admin.READY, Admin.MIXED)
    )
