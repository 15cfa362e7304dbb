"""The decision: from a deployment, a look and the policy to the acts that are due now.

Pure: no clock, no network, no memory. Called after every look; it must be right whatever happened
in between, and must never do two things to a node that one look does not justify.
"""

from dataclasses import dataclass

from bigred_broker.messages import Phase
from bigred_server.rollout import sentences
from bigred_server.rollout.act import HANDS_OFF, Act, Kind
from bigred_server.rollout.deployment import Deployment
from bigred_server.rollout.fault import fault
from bigred_server.rollout.look import Admin, NodeLook
from bigred_server.rollout.policy import Sessions
from bigred_server.rollout.station import Station
from bigred_server.rollout.step import step
from bigred_server.rollout.view import View, is_serving


@dataclass(frozen=True)
class Decision:
    """What is due: the phase to be in, why (when it changes), and the acts.

    `nodes` and `skipped` are set once, when the deployment leaves `preparing`.
    """

    phase: Phase
    acts: tuple[Act, ...] = ()
    reason: str = ""
    blames_build: bool = False
    nodes: tuple[str, ...] | None = None
    skipped: tuple[str, ...] | None = None


def decide(view: View) -> Decision:
    """Say what is due."""
    phase = view.deployment.phase
    if phase is Phase.PREPARING:
        return _prepare(view)
    if phase.is_outcome:
        return Decision(phase)
    if not view.nodes:
        return Decision(Phase.FAILED, reason=sentences.NO_NODES)
    return _back(view) if phase is Phase.ROLLING_BACK else _forward(view)


def _prepare(view: View) -> Decision:
    looks, policy = view.looks, view.policy
    if view.deployment.command is not None:
        return Decision(Phase.ABORTED, reason=sentences.ASKED_TO_STOP)
    unseen = [name for name, look in looks.items() if look.admin is Admin.UNKNOWN]
    if unseen:
        if any(view.waited_s(name) > policy.check_s for name in unseen):
            return Decision(Phase.ABORTED, reason=sentences.FLEET_UNKNOWN)
        return Decision(Phase.PREPARING)
    healthy = tuple(name for name, look in looks.items() if is_serving(look))
    skipped = tuple(name for name in looks if name not in healthy)
    is_bare = not healthy or not any(look.digest for look in looks.values())
    if view.deployment.previous is None and is_bare:
        # The very first release: nobody is served yet, so nobody can be harmed.
        healthy, skipped = tuple(looks), ()
    elif len(healthy) - 1 < policy.min_healthy:
        reason = sentences.too_few(len(healthy), len(looks), policy.min_healthy)
        return Decision(Phase.ABORTED, reason=reason)
    return Decision(Phase.CANARY, nodes=healthy, skipped=skipped)


def _forward(view: View) -> Decision:
    deployment, stations = view.deployment, view.stations
    if deployment.command is not None:
        return _turn_back(deployment, sentences.ROLLBACK_ASKED, blames_build=True)
    if view.is_stuck:
        return _turn_back(deployment, _stuck(view), blames_build=False)
    if view.is_blind:
        return Decision(deployment.phase)
    for name in view.nodes:
        if found := fault(view, name, stations[name]):
            return _turn_back(deployment, found.text, blames_build=found.blames_build)
    if all(where is Station.SERVING for where in stations.values()):
        return Decision(deployment.phase if view.busy else Phase.SUCCEEDED)
    if deployment.phase is Phase.ROLLING:
        return Decision(Phase.ROLLING, _acts(view, view.nodes, view.policy.batch))
    canary = view.nodes[0]
    if stations[canary] is Station.SERVING:
        return Decision(Phase.ROLLING)
    return Decision(Phase.CANARY, _acts(view, (canary,), batch=1))


def _stuck(view: View) -> str:
    stations = view.stations.items()
    left = {name: where for name, where in stations if where is not Station.SERVING}
    return sentences.stuck(view.policy.progress_s, left)


def _turn_back(deployment: Deployment, reason: str, *, blames_build: bool) -> Decision:
    if deployment.previous is None:
        return Decision(Phase.FAILED, reason=sentences.no_way_back(reason))
    return Decision(Phase.ROLLING_BACK, reason=reason, blames_build=blames_build)


def _back(view: View) -> Decision:
    """Bring every node back to the previous release, one at a time; a node that fails is left."""
    deployment, stations = view.deployment, view.stations
    if view.is_stuck:
        return Decision(Phase.FAILED, reason=_stuck(view))
    if view.is_blind:
        return Decision(deployment.phase)
    faults = [f for name in view.nodes if (f := fault(view, name, stations[name]))]
    lost = {found.node for found in faults}
    left = tuple(name for name in view.nodes if name not in lost)
    if view.busy or any(stations[name] is not Station.SERVING for name in left):
        return Decision(deployment.phase, _acts(view, left, batch=1))
    if faults:
        return Decision(Phase.FAILED, reason=sentences.lost_nodes([f.text for f in faults]))
    return Decision(Phase.ROLLED_BACK)


def _acts(view: View, nodes: tuple[str, ...], batch: int) -> tuple[Act, ...]:
    """Go on with the nodes in hand, then take more while the batch and the pool allow it."""
    stations = view.stations
    settled = (Station.SERVING, Station.TAKING)
    in_hand = [name for name in nodes if name in view.busy or stations[name] not in settled]
    acts = [act for name in in_hand if (act := step(view, name, stations[name]))]
    for name in nodes:
        if stations[name] is not Station.TAKING or name in view.busy:
            continue
        if _is_of_use_to_nobody(view.looks[name], others_in_hand=len(in_hand) >= batch):
            # Closing the door on it costs nothing and needs no leave.
            acts.append(Act(Kind.MAINT, name, view.goal))
            in_hand.append(name)
        elif len(in_hand) < batch and view.may_take([*in_hand, name]):
            kind = Kind.DRAIN if view.policy.sessions is Sessions.WAIT else Kind.MAINT
            acts.append(Act(kind, name, view.goal))
            in_hand.append(name)
    return tuple(acts) + _reasserted(view)


def _is_of_use_to_nobody(look: NodeLook, *, others_in_hand: bool) -> bool:
    # An app that answers us may be back in a moment where HAProxy finds it down: with others in
    # hand it waits for its turn.
    return not is_serving(look) and not (look.answer.ok and others_in_hand)


def _reasserted(view: View) -> tuple[Act, ...]:
    """Close the door again on nodes in hand that HAProxy opened: it restarted and forgot."""
    return tuple(
        Act(Kind.MAINT, name, view.goal)
        for name, kind in view.busy.items()
        if kind in HANDS_OFF and view.looks[name].admin is Admin.READY
    )
