"""The sentence that reports each phase of a deployment. Pure."""

from bigred_broker.messages import Phase

_PHASE_TEXTS = {
    Phase.PREPARING: "{version} is being prepared",
    Phase.CANARY: "{version} goes to the canary, the first of {nodes}",
    Phase.ROLLING: "{version} goes to the other nodes",
    Phase.BAKING: "{version} is being watched",
    Phase.HOLDING: "{version} is on hold",
    Phase.ROLLING_BACK: "{version} is being rolled back",
    Phase.SUCCEEDED: "{version} is live on {nodes}",
    Phase.ROLLED_BACK: "{version} was rolled back",
    Phase.ABORTED: "{version} was not deployed",
    Phase.FAILED: "{version} failed",
}


def phase_text(phase: Phase, version: str, nodes: int, reason: str) -> str:
    """Return the sentence that reports that a deployment entered a phase."""
    counted = "1 node" if nodes == 1 else f"{nodes} nodes"
    text = _PHASE_TEXTS[phase].format(version=version, nodes=counted)
    return f"{text}: {reason}" if reason else text
