"""Nodes as a look shows them, and the view behind a decision, for tests of `decide`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.support.looks import changed, node_look

from bigred_broker.messages import Phase
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.observation import Admin, Answer, NodeLook
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.progress import track
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.core.view import View, wanted

Given = dict[str, Any]  # the nodes of a view, by name

NEW = Target("new", "2")
OLD = Target("old", "1")
SAYS = {
    "nothing": Answer(),
    "old": Answer(came=True, ok=True, marker="1"),
    "new": Answer(came=True, ok=True, marker="2"),
    "500": Answer(came=True, ok=False, marker="2"),
}
POLICY = Policy(min_healthy=1)
# No node can be spared, so none can be set aside.
STRICT = Policy(min_healthy=3)

ON_OLD = node_look("", Admin.READY, True, True, 2, "old", True, SAYS["old"])
ON_NEW = changed(ON_OLD, digest="new", answer=SAYS["new"])
DOWN = node_look("", Admin.READY, False, False, 0, "old", False)
CLOSED = changed(ON_OLD, admin=Admin.MAINT, up=False)
DRAINED = changed(CLOSED, in_flight=0)
STOPPED = changed(DRAINED, running=False, answer=Answer())
SWAPPED = changed(STOPPED, digest="new")
STARTING = changed(SWAPPED, running=True)
UP = replace(STARTING, answer=SAYS["new"])
CHECKING = changed(UP, admin=Admin.DRAIN, fresh=False)
BLIND = NodeLook("")


def deployment(
    phase: Phase = Phase.ROLLING,
    nodes: tuple[str, ...] = ("a", "b", "c"),
    previous: Target | None = OLD,
    command: Command | None = None,
    target: Target = NEW,
    release: str = "",
    hooks: Mapping[Hook, HookState] | None = None,
    **more: Any,
) -> Deployment:
    """Return a deployment; `more` are further fields of its record."""
    record = DeploymentRecord("d-1", "shop", target.digest, None, "ada", 0.0, **more)
    record = replace(record, phase=phase, nodes=nodes, command=command)
    return Deployment(record, target, previous, release, hooks or {})


def updated(these: Deployment, **changes: Any) -> Deployment:
    """Return the deployment with a changed record."""
    return replace(these, record=replace(these.record, **changes))


def view(
    these: Deployment,
    *,
    policy: Policy = POLICY,
    busy: Mapping[str, ActionKind] | None = None,
    waited_s: float = 0.0,
    wait: Mapping[str, Any] | None = None,
    phase_s: float | None = None,
    queued: int = 0,
    **looks: NodeLook,
) -> View:
    """Return a view of nodes in this state for `waited_s`; `wait` changes the progress of node a.

    `phase_s`: for how long the deployment has been in its phase, by default `waited_s`.
    """
    named = {name: replace(look, name=name) for name, look in looks.items()}
    progress = track({}, named, wanted(these), 100.0)
    if wait:
        progress["a"] = replace(progress["a"], **wait)
    now_s = 100.0 + waited_s
    since_s = 100.0 if phase_s is None else now_s - phase_s
    return View(these, named, progress, busy or {}, policy, now_s, since_s, queued)


def kinds(decision: Decision) -> dict[str, ActionKind]:
    return {action.node: action.kind for action in decision.actions}
