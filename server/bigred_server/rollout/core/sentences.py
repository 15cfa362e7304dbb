"""The sentences of a rollout: reasons and findings that people read and boxes speak."""

from collections.abc import Mapping, Sequence

from bigred_server.model.command import Command
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.node_phase import NodePhase

ASKED_TO_STOP = "stopped before any node was touched"
HOLD_OVER = "the reason for the hold is gone"
NO_HEADROOM = "the other nodes could not carry the load of one more node"
BEFORE_FAILED = "the hook 'before' failed; see its log with: bigred show"
BEFORE_INTERRUPTED = (
    "the server died while the hook 'before' ran; check what it did, then deploy again"
)
AFTER_FAILED = "the hook 'after' failed; see its log with: bigred show"
AFTER_INTERRUPTED = "the server died while the hook 'after' ran; check what it did"
FLEET_UNKNOWN = "HAProxy could not be read, so no node was touched"
NO_NODES = "none of its nodes is in the configuration any more"

_ASKED = {
    Command.HOLD: "asked for the hold",
    Command.CONTINUE: "continued it",
    Command.ROLLBACK: "asked for the rollback",
    Command.ABORT: "aborted it",
}
_NOT_DONE = {
    NodePhase.UNKNOWN: "its state could not be read",
    NodePhase.DRAINING: "its requests did not finish",
    NodePhase.STOPPING: "Tomcat did not stop",
    NodePhase.SWAPPING: "the WAR was not swapped",
    NodePhase.SHADOWED: "the newer version was not undeployed",
    NodePhase.STARTING: "the app did not answer with the expected release",
    NodePhase.CHECKING: "HAProxy's check did not pass",
}


def asked(command: Command, who: str) -> str:
    """Return who gave a command, and which."""
    return f"{who or 'a person'} {_ASKED[command]}"


def of_release(deployment: Deployment, clause: str) -> str:
    """Return a clause of the judge as a sentence about the release."""
    return f"{deployment.record.app} {deployment.release} {clause}"


def seen_too_little(requests: int, needed: int) -> str:
    """Report that the judge can't decide, and what people can do."""
    return (
        f"too little traffic to judge the new release: {requests} requests, {needed} needed; "
        "continue or roll back"
    )


def at_node(node: str, text: str) -> str:
    """Name the node that a text is about."""
    return f"{node}: {text}"


def overdue(phase: NodePhase, limit_s: float) -> str:
    """Report what had not happened when a deadline passed."""
    return f"{_NOT_DONE[phase]} within {limit_s:g} s"


def failed_tries(tries: int, phase: NodePhase, failure: str) -> str:
    """Report that an action failed repeatedly, and why it failed last."""
    return f"{phase} failed {tries} times: {failure}"


def wrong_answer(text: str) -> str:
    """Report that the app is up, and what it answers instead."""
    return f"the app does not answer with the expected release: {text}"


def does_not_stay_up(tries: int) -> str:
    """Report that Tomcat exits after each start."""
    return f"Tomcat was started {tries} times and did not stay up; see its catalina.out"


def dies_again(times: int) -> str:
    """Report that Tomcat exits by itself after the app was up."""
    return f"Tomcat exited by itself {times} times after the app was up; see its catalina.out"


def too_few(healthy: int, total: int, min_healthy: int, kind: str = "nodes") -> str:
    """Report why no node may be updated; `kind`: which nodes count."""
    return (
        f"{healthy} of {total} {kind} are up and {min_healthy} must stay up: "
        "updating one would leave too few"
    )


def too_few_in(backend: str, serving: int) -> str:
    """Report that one backend has too few of the nodes, although the app has enough."""
    nodes, one = ("one node serves", "it") if serving == 1 else (f"{serving} nodes serve", "one")
    return (
        f"{nodes} in the backend {backend}: updating {one} would leave its users too few; "
        "add servers to it"
    )


def nobody_stands_in(active: int) -> str:
    """Report that no node may be updated because the others get no share of the users."""
    nodes = "one active node serves" if active == 1 else f"{active} active nodes serve"
    return (
        f"only {nodes}, and no other node would take over their users (backups that are down, "
        "weight 0)"
    )


def shared(sharing: Mapping[str, Sequence[str]]) -> str:
    """Report backends of HAProxy for whose users the deployment could not speak.

    Without servers: a backend that the configuration names although it has none of the nodes.
    """
    if empty := [name for name, servers in sharing.items() if not servers]:
        return (
            f"the backend {empty[0]} has none of the app's nodes: no server there has the address "
            "of one; correct `backend`, or name the servers alike"
        )
    named = [f"{name} ({', '.join(servers)})" for name, servers in sharing.items()]
    if len(named) == 1:
        return (
            f"the backend {named[0]} has the same Tomcats, and a deployment could cut off its "
            "users; add it to `backend`, or to `unmanaged` if that does no harm"
        )
    return (
        f"the backends {' and '.join(named)} have the same Tomcats, and a deployment could cut off "
        "their users; add them to `backend`, or to `unmanaged` if that does no harm"
    )


def not_deployed(tries: int) -> str:
    """Report that the Manager claims success although the release is not deployed."""
    return f"the Manager reported success {tries} times, but the release is not deployed"


def unreachable(node: str, problem: str) -> str:
    """Report that a node that serves can't be reached for a deployment."""
    return at_node(node, problem or "its state could not be read")


def unknown_digest(node: str) -> str:
    """Report that the live bytes are unknown, so that they could not be restored."""
    return at_node(
        node,
        "only HTTP reaches it, and its running release is unknown to Bigred, so a rollback would "
        "be impossible; submit the live release first, with: bigred submit",
    )


def no_disk_space(node: str, free: int, needed: int) -> str:
    """Report that a node's disk is too full."""
    return at_node(
        node,
        f"its disk has {free >> 20} MiB free, but {(needed >> 20) + 1} MiB are needed; free some "
        "space or keep fewer releases",
    )


def set_aside(text: str) -> str:
    """Report that a node is left out and the other nodes continue."""
    return f"{text}; it is set aside, and the other nodes continue"


def hold_is_over(hold_s: float) -> str:
    """Report that nobody decided about a deployment on hold."""
    return f"it was on hold for {hold_s:g} s and nobody decided"


def finished_first(command: str) -> str:
    """Report that the node being repaired is finished before the command can count."""
    return f"{command}: the node being repaired is finished first; then nothing is left to stop"


def stuck(progress_s: float, node_phases: Mapping[str, NodePhase]) -> str:
    """Report that no node progresses, and the phases of those that should."""
    nodes = ", ".join(f"{name} is {phase}" for name, phase in node_phases.items())
    return f"no node made any progress for {progress_s:g} s: {nodes}"


def no_rollback_target(reason: str) -> str:
    """Report that a first release failed."""
    return f"{reason}; there is no earlier release to roll back to"


def live_not_kept(text: str) -> str:
    """Report that no node was touched because the live release could not be kept."""
    return f"the live release could not be kept for a rollback: {text}"


def lost_nodes(texts: Sequence[str]) -> str:
    """Report which nodes could not be rolled back; they are left as they are."""
    return "could not be rolled back: " + "; ".join(texts)
