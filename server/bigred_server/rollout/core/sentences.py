"""The sentences a rollout says about itself: what people read and hear, in one place."""

from collections.abc import Mapping, Sequence

from bigred_server.model.command import Command
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.node_phase import NodePhase

ASKED_TO_STOP = "stopped before any node was touched"
HOLD_OVER = "what it was held for is over"
NO_HEADROOM = "the other nodes could not carry the load of one more"
BEFORE_FAILED = "the hook 'before' failed; see its log with: bigred show"
BEFORE_INTERRUPTED = (
    "the server died while the hook 'before' ran; look what it has done, then deploy again"
)
AFTER_FAILED = "the hook 'after' failed; see its log with: bigred show"
AFTER_INTERRUPTED = "the server died while the hook 'after' ran; look what it has done"
FLEET_UNKNOWN = "HAProxy could not be read, so no node was touched"
NO_NODES = "none of its nodes is in the configuration any more"

_ASKED = {
    Command.HOLD: "asked for the hold",
    Command.CONTINUE: "had it go on",
    Command.ROLLBACK: "asked for the rollback",
    Command.ABORT: "had it aborted",
}
_NOT_DONE = {
    NodePhase.UNKNOWN: "it could not be looked at",
    NodePhase.DRAINING: "requests were still in flight",
    NodePhase.STOPPING: "Tomcat did not stop",
    NodePhase.SWAPPING: "the WAR was not in place",
    NodePhase.SHADOWED: "the version in front was not taken away",
    NodePhase.STARTING: "the app did not answer as the wanted release",
    NodePhase.CHECKING: "HAProxy's check did not pass",
}


def asked(command: Command, who: str) -> str:
    """Say who asked for what."""
    return f"{who or 'a person'} {_ASKED[command]}"


def of_release(deployment: Deployment, clause: str) -> str:
    """Say what the judge has to say of a release."""
    return f"{deployment.record.app} {deployment.release} {clause}"


def seen_too_little(requests: int, needed: int) -> str:
    """Say that the judge can't tell, and what people may do."""
    return (
        f"too little traffic to judge the new release: {requests} requests, {needed} needed; "
        "continue, or roll back"
    )


def at_node(node: str, text: str) -> str:
    """Say at which node something is so."""
    return f"{node}: {text}"


def overdue(station: NodePhase, limit_s: float) -> str:
    """Say what had not happened when a deadline was over."""
    return f"{_NOT_DONE[station]} within {limit_s:g} s"


def failed_tries(tries: int, station: NodePhase, failure: str) -> str:
    """Say that an act failed again and again, and what it said last."""
    return f"{station} failed {tries} times: {failure}"


def wrong_answer(text: str) -> str:
    """Say that the app is up, and what it answers instead."""
    return f"the app does not answer as the wanted release: {text}"


def does_not_stay_up(tries: int) -> str:
    """Say that the process ends again and again."""
    return f"Tomcat was started {tries} times and does not stay up; see its catalina.out"


def dies_again(times: int) -> str:
    """Say that the process ends by itself after the app was up."""
    return f"the app was up and Tomcat ended by itself {times} times; see its catalina.out"


def too_few(healthy: int, total: int, min_healthy: int) -> str:
    """Say why no node may be taken."""
    return (
        f"{healthy} of {total} nodes are up and min_healthy is {min_healthy}: "
        "taking one would leave too few"
    )


def rejects(tries: int) -> str:
    """Say that the Manager is content, and the app is not there all the same."""
    return f"the Manager deployed it {tries} times and it is not there"


def unreachable(node: str, trouble: str) -> str:
    """Say that a node that serves can't be reached for a deployment."""
    return at_node(node, trouble or "it could not be looked at")


def unknown_digest(node: str) -> str:
    """Say that nobody knows which bytes are live, so that there is no way back."""
    return at_node(
        node,
        "only HTTP reaches it and no release is known that says what it says; there would be no "
        "way back: hand in what is live first, with: bigred submit",
    )


def no_disk_space(node: str, free: int, needed: int) -> str:
    """Say that a node's disk is too full."""
    return at_node(
        node,
        f"its disk has {free >> 20} MiB free and {(needed >> 20) + 1} are needed; make room, or "
        "keep fewer releases",
    )


def set_aside(text: str) -> str:
    """Say that a node is left out, and the others go on."""
    return f"{text}; it is set aside, and the others go on"


def hold_is_over(hold_s: float) -> str:
    """Say that nobody decided about a held deployment."""
    return f"it was held for {hold_s:g} s and nobody decided"


def finished_first(command: str) -> str:
    """Say that a node in hand comes first."""
    return f"{command}: the node in hand is made whole first, and then there is nothing to stop"


def stuck(progress_s: float, node_phases: Mapping[str, NodePhase]) -> str:
    """Say that nothing moved any more, and where the nodes stand that should have."""
    where = ", ".join(f"{name} is {where}" for name, where in node_phases.items())
    return f"no node made any progress for {progress_s:g} s: {where}"


def no_rollback_target(reason: str) -> str:
    """Say that a first release failed."""
    return f"{reason}; there is no earlier release to go back to"


def no_return_ticket(text: str) -> str:
    """Say that nothing was touched, because what is live could not be kept for a way back."""
    return f"what is live could not be kept for a way back: {text}"


def lost_nodes(texts: Sequence[str]) -> str:
    """Say which nodes could not be brought back; they are left as they are."""
    return "could not be brought back: " + "; ".join(texts)
