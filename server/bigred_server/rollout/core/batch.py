"""Which nodes are taken, and what is due on those in hand."""

from bigred_server.rollout.core.action import HANDS_OFF, Act, Kind
from bigred_server.rollout.core.next_action import door, lacks_release, may_try, step
from bigred_server.rollout.core.node_phase import Station
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.view import View, is_serving

_SETTLED = frozenset({Station.SERVING, Station.TAKING})


def acts(view: View, nodes: tuple[str, ...], batch: int) -> tuple[Act, ...]:
    """Go on with the nodes in hand, then take more while the batch and the pool allow it.

    A batch of 0 takes none: what is in hand is made whole, and no more.
    """
    stations = view.stations
    in_hand = [name for name in nodes if name in view.busy or stations[name] not in _SETTLED]
    due = [act for name in in_hand if (act := step(view, name, stations[name]))]
    for name in nodes if batch else ():
        if stations[name] is not Station.TAKING or name in view.busy:
            continue
        if _is_of_use_to_nobody(view.looks[name], others_in_hand=len(in_hand) >= batch):
            # Closing the door on it costs nothing and needs no leave.
            due.append(Act(door(view), name, view.goal))
            in_hand.append(name)
        elif len(in_hand) < batch and view.may_take([*in_hand, name]):
            due += _taken(view, name)
            in_hand.append(name)
    return (*due, *_reasserted(view))


def closing(view: View) -> tuple[Act, ...]:
    """Close the door on nodes that were set aside and are still, or again, in the pool."""
    due: list[Act] = []
    for name in view.deployment.set_aside:
        look = view.looks.get(name)
        if look is None or name in view.busy or look.admin in (Admin.MAINT, Admin.UNKNOWN):
            continue
        taken = [*(act.node for act in due), name]
        if _is_out_of_use(look) or view.may_take(taken):
            due.append(Act(Kind.MAINT, name, view.goal))
    return tuple(due)


def _taken(view: View, name: str) -> list[Act]:
    if not lacks_release(view, name):
        return [Act(door(view), name, view.goal)]
    return [Act(Kind.FETCH, name, view.goal)] if may_try(view, name) else []


def _is_of_use_to_nobody(look: NodeLook, *, others_in_hand: bool) -> bool:
    # An app that answers us may be back in a moment where HAProxy finds it down: with others in
    # hand it waits for its turn.
    return _is_out_of_use(look) and not (look.answer.ok and others_in_hand)


def _is_out_of_use(look: NodeLook) -> bool:
    return not is_serving(look) and not look.partly


def _reasserted(view: View) -> tuple[Act, ...]:
    """Close the door again on nodes in hand that HAProxy opened: it restarted and forgot."""
    return tuple(
        Act(door(view), name, view.goal)
        for name, kind in view.busy.items()
        if kind in HANDS_OFF and view.looks[name].admin in (Admin.READY, Admin.MIXED)
    )
