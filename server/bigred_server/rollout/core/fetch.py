"""Fetch the release to the nodes whose turn is still to come, while they serve. Pure."""

from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.next_action import lacks_release
from bigred_server.rollout.core.node_phase import SETTLED, NodePhase
from bigred_server.rollout.core.view import View

# Large releases come over one network, by one server.
_MOST_AT_ONCE = 4


def is_fetching(view: View, name: str) -> bool:
    """Return whether a node only fetches the release, and serves as if nothing happened."""
    return view.node_phases[name] in SETTLED and view.busy.get(name) is ActionKind.FETCH


def fetches(view: View, nodes: tuple[str, ...]) -> tuple[Action, ...]:
    """Return the fetches due on these nodes, a few at a time.

    None is due before the first node has the release, which nothing shall delay. A fetch that fails
    is tried again when it is the node's turn, and no fault before: so it must not be the last try.
    """
    is_first = all(view.node_phases[name] is NodePhase.PENDING for name in view.active)
    if is_first or view.policy.tries == 1:
        return ()
    room = _MOST_AT_ONCE - sum(kind is ActionKind.FETCH for kind in view.busy.values())
    lacking = [name for name in nodes if _is_due(view, name)]
    return tuple(Action(ActionKind.FETCH, name, view.target) for name in lacking[: max(0, room)])


def _is_due(view: View, name: str) -> bool:
    is_free = name not in view.busy and view.progress[name].tries == 0
    if not is_free or view.node_phases[name] is not NodePhase.PENDING:
        return False
    return is_serving(view.looks[name]) and lacks_release(view, name)
