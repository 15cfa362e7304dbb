"""The light is computed from the state and never stored, so it can't stay wrong."""

from bigred_agent.lights.patterns import Light, Pattern
from bigred_agent.machine.state import Connectivity, State
from bigred_broker.messages import Phase

_OUTCOMES = {
    Phase.SUCCEEDED: Pattern.SUCCEEDED,
    Phase.ROLLED_BACK: Pattern.ROLLED_BACK,
    Phase.FAILED: Pattern.FAILED,
}


def light(state: State) -> Light:
    """Return what the lights show; the most urgent wins."""
    if state.identify_until_s is not None:
        return Light(Pattern.IDENTIFY, progress(state))
    if state.override is not None:
        return Light(state.override.pattern, progress(state))
    return Light(base(state), progress(state))


def base(state: State) -> Pattern:
    """Return the pattern of the box itself, with no request from outside."""
    if state.connectivity is not Connectivity.SERVER:
        return Pattern.OFFLINE
    if state.is_deploying:
        return _deploying(state.running.phase if state.running else None)
    if state.is_armed:
        return Pattern.ARMED
    if not state.button:
        return Pattern.BUTTON_LOST
    if state.recent_outcome is not None:
        return state.recent_outcome.pattern
    if any(known.state.candidate is not None for known in state.apps.values()):
        return Pattern.CANDIDATE
    return Pattern.IDLE


def outcome(phase: Phase) -> Pattern | None:
    """Return the pattern for an outcome; None if it does not change the lights."""
    return _OUTCOMES.get(phase)


def progress(state: State) -> float:
    """Return how much of the running deployment is done, from 0 to 1."""
    running = state.running
    if running is not None and running.progress is not None and running.progress.total:
        return min(1.0, running.progress.done / running.progress.total)
    if (
        not state.is_deploying
        and state.recent_outcome
        and state.recent_outcome.pattern is Pattern.SUCCEEDED
    ):
        return 1.0
    return 0.0


def _deploying(phase: Phase | None) -> Pattern:
    if phase is Phase.HOLDING:
        return Pattern.HOLDING
    if phase is Phase.ROLLING_BACK:
        return Pattern.ROLLED_BACK
    return Pattern.DEPLOYING
