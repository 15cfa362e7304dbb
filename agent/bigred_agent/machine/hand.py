"""What a hand does to the button.

A press is published only with a living arming or while a deployment runs, only while the server is
there, and never later: whatever can't be sent now is said to be so, and forgotten.
"""

from dataclasses import replace

from bigred_agent.buttons.reading import ButtonEvent
from bigred_agent.machine.deeds import Deed, Deeds, Publish, Say
from bigred_agent.machine.state import Policy, State, Waiting
from bigred_agent.phrases.phrase import Phrase
from bigred_broker.messages import EventType

Outcome = tuple[State, Deeds]


def handle(state: State, event: ButtonEvent, now_s: float, policy: Policy) -> Outcome:
    """Take in one event of the button."""
    was_there = state.button
    state = replace(state, lid=event.lid, button=event.kind is not EventType.BUTTON_LOST)
    match event.kind:
        case EventType.LID_OPEN:
            return _lid_open(state, event, now_s)
        case EventType.LID_CLOSE:
            return _lid_close(state, event)
        case EventType.PRESS:
            return _press(state, event, now_s, policy)
        case EventType.HOLD:
            return _send(state, event) if state.is_deploying else (state, ())
        case EventType.RELEASE:
            return _release(state, event)
        case EventType.BUTTON_LOST:
            return _lost(state, event, Phrase.BUTTON_LOST if was_there else Phrase.BUTTON_MISSING)
        case EventType.BUTTON_FOUND:
            return _found(state, event)


def _lid_open(state: State, event: ButtonEvent, now_s: float) -> Outcome:
    state = replace(state, arming=None, waiting=None, news=None)
    if not state.connected:
        return state, (Say(Phrase.NOT_CONNECTED),)
    return _send(replace(state, waiting=Waiting(event.kind, event.id, now_s)), event)


def _lid_close(state: State, event: ButtonEvent) -> Outcome:
    was_armed = state.arming is not None
    # Closed during the countdown, the server cancels; closed before the answer, nothing is armed.
    waiting = state.waiting
    if waiting is not None and waiting.kind is EventType.LID_OPEN:
        waiting = None
    state, deeds = _send(replace(state, arming=None, waiting=waiting, countdown=None), event)
    return state, (*deeds, Say(Phrase.DISARMED)) if was_armed else deeds


def _press(state: State, event: ButtonEvent, now_s: float, policy: Policy) -> Outcome:
    if state.waiting is not None and state.waiting.kind is EventType.PRESS:
        return state, ()
    if not state.connected:
        return replace(state, arming=None), (Say(Phrase.NOT_CONNECTED),)
    arming = state.arming
    if arming is None and not state.is_deploying:
        # Pressed before the answer to the lid: whoever is that fast has not heard what would fly.
        return state, () if state.waiting is not None else (Say(Phrase.LIFT_THE_LID),)
    just_fired = state.fired_s is not None and now_s - state.fired_s < policy.quiet_after_press_s
    if arming is None and just_fired:
        return state, ()
    waiting = Waiting(event.kind, event.id, now_s, arming)
    carried = arming.id if arming else None
    state = replace(state, arming=None, waiting=waiting, press_told=True)
    return _send(state, event, carried)


def _release(state: State, event: ButtonEvent) -> Outcome:
    # Nobody is told that a button was let go of whose press was not told.
    if not state.press_told:
        return state, ()
    return _send(replace(state, press_told=False), event)


def _lost(state: State, event: ButtonEvent, phrase: Phrase) -> Outcome:
    state = replace(
        state, arming=None, waiting=None, countdown=None, button_missed=True, press_told=False
    )
    state, deeds = _send(state, event)
    return state, (*deeds, Say(phrase))


def _found(state: State, event: ButtonEvent) -> Outcome:
    missed = state.button_missed
    state, deeds = _send(replace(state, button_missed=False), event)
    return state, (*deeds, Say(Phrase.BUTTON_FOUND)) if missed else deeds


def _send(state: State, event: ButtonEvent, arming: str | None = None) -> Outcome:
    if not state.connected:
        return state, ()
    deed: Deed = Publish(event.kind, event.id, state.seq, event.at_s, arming)
    return replace(state, seq=state.seq + 1), (deed,)
