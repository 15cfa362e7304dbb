"""A fault: a node that fails to reach its target, found by its progress and the policy."""

from dataclasses import dataclass

from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.node_phase import BUILD_PHASES, NodePhase
from bigred_server.rollout.core.observation import Admin
from bigred_server.rollout.core.policy import OnDrainDeadline
from bigred_server.rollout.core.view import View


@dataclass(frozen=True)
class Fault:
    """Which node failed, why, and whether the build is to blame rather than the node."""

    node: str
    text: str
    blames_build: bool


def fault(view: View, name: str, phase: NodePhase) -> Fault | None:
    """Return a node's fault if it failed: too many tries, or a deadline of the policy passed."""
    if phase is NodePhase.SERVING or name in view.busy or view.may_change(name):
        return None
    if (deaths := view.progress[name].deaths) >= view.policy.tries:
        return Fault(name, sentences.at_node(name, sentences.dies_again(deaths)), True)
    if (text := _wrong_answer(view, name)) is not None:
        return Fault(name, sentences.at_node(name, text), True)
    text = _overdue(view, name, phase) or _tried(view, name, phase)
    if text is None:
        return None
    return Fault(name, sentences.at_node(name, text), phase in BUILD_PHASES)


def _wrong_answer(view: View, name: str) -> str | None:
    since_s = view.progress[name].wrong_since_s
    if since_s is None or view.now_s - since_s <= view.policy.wrong_answer_s:
        return None
    return sentences.wrong_answer(view.looks[name].answer.text)


def _overdue(view: View, name: str, phase: NodePhase) -> str | None:
    limit_s = _deadlines(view).get(phase)
    if phase is NodePhase.DRAINING and view.looks[name].pool.admin is not Admin.MAINT:
        return None
    if limit_s is None or view.waited_s(name) <= limit_s:
        return None
    return sentences.overdue(phase, limit_s)


def _deadlines(view: View) -> dict[NodePhase, float]:
    policy = view.policy
    deadlines = {
        NodePhase.UNKNOWN: policy.check_s,
        NodePhase.STOPPING: policy.stop_s,
        NodePhase.SWAPPING: policy.swap_s,
        NodePhase.SHADOWED: policy.swap_s,
        NodePhase.STARTING: policy.start_s,
        NodePhase.CHECKING: policy.check_s,
    }
    if policy.on_drain_deadline is OnDrainDeadline.ABORT and not view.is_rolling_back:
        deadlines[NodePhase.DRAINING] = policy.drain_s
    return deadlines


def _tried(view: View, name: str, phase: NodePhase) -> str | None:
    progress, policy = view.progress[name], view.policy
    if progress.tries < policy.tries:
        return None
    if progress.failure:
        return sentences.failed_tries(progress.tries, phase, progress.failure)
    paused = view.now_s - progress.tried_at_s >= policy.start_again_s
    if phase is NodePhase.DEPLOYING and paused:
        return sentences.not_deployed(progress.tries)
    if phase is NodePhase.STARTING and view.looks[name].host.running is False and paused:
        return sentences.does_not_stay_up(progress.tries)
    return None
