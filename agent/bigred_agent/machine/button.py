"""Handles the events of the button.

A press is published only with a valid arming or during a deployment, only while the server is
online, and never later: the box announces what it could not send, and drops it. An event that is
older than people wait for an answer, because the box itself stood still, is dropped, too.
"""

from dataclasses import replace

from bigred_agent.buttons.reading import ButtonEvent
from bigred_agent.machine.effects import Effect, Publish, Say
from bigred_agent.machine.state import Pending, Policy, State
from bigred_agent.machine.transition import Transition
from bigred_agent.phrases.phrase import Phrase
from bigred_broker.button import EventType

# What would do harm later. A lid that closes late still cancels, and nobody minds.
_TIMELY = frozenset({EventType.LID_OPEN, EventType.PRESS, EventType.HOLD})


def handle(state: State, event: ButtonEvent, now_s: float, policy: Policy) -> Transition:
    """Handle one event of the button."""
    was_there = state.button
    state = replace(state, lid=event.lid, button=event.kind is not EventType.BUTTON_LOST)
    if event.kind in _TIMELY and _is_late(state, event, now_s, policy):
        return _late(state, event)
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


def resumed(state: State, now_s: float, policy: Policy) -> Transition:
    """Handle the end of a standstill of the box: people who pushed meanwhile gave up."""
    was_armed = state.arming is not None
    state = replace(state, arming=None, unsure_until_s=now_s + policy.unsure_after_resuming_s)
    return state, (Say(Phrase.DISARMED_LATE),) if was_armed else ()


def _is_late(state: State, event: ButtonEvent, now_s: float, policy: Policy) -> bool:
    return state.unsure_until_s is not None or now_s - event.at_s >= policy.answer_deadline_s


def _late(state: State, event: ButtonEvent) -> Transition:
    if event.kind is EventType.HOLD:
        return state, ()
    return replace(state, arming=None, pending=None), (Say(Phrase.NOBODY_ANSWERED),)


def _lid_open(state: State, event: ButtonEvent, now_s: float) -> Transition:
    state = replace(state, arming=None, pending=None, recent_outcome=None)
    if not state.connected:
        return state, (Say(Phrase.NOT_CONNECTED),)
    return _send(replace(state, pending=Pending(event.kind, event.id, now_s)), event)


def _lid_close(state: State, event: ButtonEvent) -> Transition:
    was_armed = state.arming is not None
    # During the countdown the server cancels; before the reply, nothing is armed.
    pending = state.pending
    if pending is not None and pending.kind is EventType.LID_OPEN:
        pending = None
    state, effects = _send(replace(state, arming=None, pending=pending, countdown=None), event)
    return state, (*effects, Say(Phrase.DISARMED)) if was_armed else effects


def _press(state: State, event: ButtonEvent, now_s: float, policy: Policy) -> Transition:
    if state.pending is not None and state.pending.kind is EventType.PRESS:
        return state, ()
    if not state.connected:
        return replace(state, arming=None), (Say(Phrase.NOT_CONNECTED),)
    arming = state.arming
    if arming is None and not state.is_deploying:
        # Pressed before the reply to the lid: nobody could have heard yet what would be fired.
        return state, () if state.pending is not None else (Say(Phrase.LIFT_THE_LID),)
    just_fired = state.fired_s is not None and now_s - state.fired_s < policy.quiet_after_press_s
    if arming is None and just_fired:
        return state, ()
    pending = Pending(event.kind, event.id, now_s, arming)
    carried = arming.id if arming else None
    state = replace(state, arming=None, pending=pending, press_published=True)
    return _send(state, event, carried)


def _release(state: State, event: ButtonEvent) -> Transition:
    # A release is published only after its press.
    if not state.press_published:
        return state, ()
    return _send(replace(state, press_published=False), event)


def _lost(state: State, event: ButtonEvent, phrase: Phrase) -> Transition:
    state = replace(
        state, arming=None, pending=None, countdown=None, button_missed=True, press_published=False
    )
    state, effects = _send(state, event)
    return state, (*effects, Say(phrase))


def _found(state: State, event: ButtonEvent) -> Transition:
    missed = state.button_missed
    state, effects = _send(replace(state, button_missed=False), event)
    return state, (*effects, Say(Phrase.BUTTON_FOUND)) if missed else effects


def _send(state: State, event: ButtonEvent, arming: str | None = None) -> Transition:
    if not state.connected:
        return state, ()
    effect: Effect = Publish(event.kind, event.id, state.seq, event.at_s, arming)
    return replace(state, seq=state.seq + 1), (effect,)
