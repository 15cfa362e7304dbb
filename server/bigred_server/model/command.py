"""The commands to a running deployment, and whether each phase allows them. Pure."""

from enum import StrEnum

from bigred_broker.messages import Phase


class Command(StrEnum):
    """A command to a running deployment.

    HOLD: finish the nodes being updated and start no new ones. CONTINUE: end a hold. ROLLBACK:
    bring every node back to the last good release, which makes the new one bad. ABORT: the same,
    but the new release stays ready.
    """

    HOLD = "hold"
    CONTINUE = "continue"
    ROLLBACK = "rollback"
    ABORT = "abort"


HELD_ALREADY = "it is already on hold"
NOT_HELD = "it is not on hold"
GOES_BACK = "it is being rolled back, which can't be stopped: it brings every node to safety"
HAS_ENDED = "it has ended"

IS_ABORTED = "it is already being aborted"
RUNS_ELSEWHERE = "Jenkins runs it, so it can only be aborted"

_TO_SAFETY = (Command.ROLLBACK, Command.ABORT)


def refusal(phase: Phase, pending: Command | None, command: Command) -> str:
    """Return why a command can't be followed in a phase, or "" if it can.

    `pending`: a command that was accepted before but not followed yet; the new one is checked as if
    it had been.
    """
    if phase.is_outcome:
        return HAS_ENDED
    if phase is Phase.ROLLING_BACK or pending in _TO_SAFETY:
        return GOES_BACK
    is_held = phase is Phase.HOLDING if pending is None else pending is Command.HOLD
    if command is Command.HOLD and is_held:
        return HELD_ALREADY
    if command is Command.CONTINUE and not is_held:
        return NOT_HELD
    return ""


def refusal_elsewhere(phase: Phase, pending: Command | None, command: Command) -> str:
    """Return the same for a deployment that Jenkins runs: it can only be aborted."""
    if phase.is_outcome:
        return HAS_ENDED
    if pending is Command.ABORT:
        return IS_ABORTED
    return "" if command is Command.ABORT else RUNS_ELSEWHERE
