"""What people may ask of a deployment that runs, and what becomes of it in every phase. Pure."""

from enum import StrEnum

from bigred_broker.messages import Phase


class Command(StrEnum):
    """An order to a running deployment.

    HOLD: make the node in hand whole and take no other. CONTINUE: go on from a hold. ROLLBACK:
    bring every node back to the last good release, which makes the new one bad. ABORT: the same,
    but the new release stays ready.
    """

    HOLD = "hold"
    CONTINUE = "continue"
    ROLLBACK = "rollback"
    ABORT = "abort"


HELD_ALREADY = "it is held already"
NOT_HELD = "it is not held"
GOES_BACK = "it is being rolled back, which is not stopped: it brings every node to safety"
HAS_ENDED = "it has ended"

IS_ABORTED = "it is being aborted"
RUNS_ELSEWHERE = "Jenkins does it: it can be aborted, nothing else"

_TO_SAFETY = (Command.ROLLBACK, Command.ABORT)


def refusal(phase: Phase, pending: Command | None, command: Command) -> str:
    """Say why a command can't be followed in a phase, or "" when it can.

    `pending` was accepted before and not taken up yet: the new command is judged as if it had been.
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
    """Say the same of a deployment that is done elsewhere: it can only be aborted."""
    if phase.is_outcome:
        return HAS_ENDED
    if pending is Command.ABORT:
        return IS_ABORTED
    return "" if command is Command.ABORT else RUNS_ELSEWHERE
