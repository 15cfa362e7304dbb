"""The entry point of the state machine: one event in, a new state and its effects out."""

from dataclasses import replace

from bigred_agent.buttons.reading import ButtonEvent
from bigred_agent.lights.patterns import Pattern
from bigred_agent.machine import button, connectivity, deployments, light, replies
from bigred_agent.machine.effects import Effect, Say, SayText
from bigred_agent.machine.events import (
    AppRemoved,
    AppUpdate,
    Event,
    Resumed,
    ServerStatus,
    Tick,
)
from bigred_agent.machine.state import Override, Policy, State
from bigred_agent.machine.transition import Transition
from bigred_agent.phrases.phrase import Phrase
from bigred_agent.phrases.spoken import spoken_name
from bigred_broker.link_status import LinkDown, LinkUp
from bigred_broker.messages import Reply, SetIdentify, SetLight, SetSay


def step(state: State, event: Event, now_s: float, policy: Policy) -> Transition:
    """Handle one event, after the deadlines that have passed. Never raises."""
    state, overdue = _deadlines(state, now_s, policy)
    state, effects = _dispatch(state, event, now_s, policy)
    state, announced = connectivity.settle(state, now_s, policy)
    if state.override is not None and light.base(state) is not state.override.base:
        state = replace(state, override=None)
    return state, (*overdue, *effects, *announced)


def _dispatch(state: State, event: Event, now_s: float, policy: Policy) -> Transition:
    match event:
        case Tick():
            return state, ()
        case Resumed():
            return button.resumed(state, now_s, policy)
        case LinkUp() | LinkDown() | ServerStatus():
            return connectivity.handle(state, event)
        case ButtonEvent():
            return button.handle(state, event, now_s, policy)
        case Reply():
            return replies.handle(state, event, now_s, policy)
        case AppUpdate():
            return deployments.handle(state, event, now_s, policy)
        case AppRemoved(app):
            return deployments.forget(state, app), ()
        case SetSay():
            return state, (SayText(event.text),)
        case SetLight():
            return _set_light(state, event), ()
        case SetIdentify():
            state = replace(state, identify_until_s=now_s + policy.identify_s)
            return state, (Say(Phrase.IDENTIFY, {"box": spoken_name(state.box)}),)


def _set_light(state: State, wanted: SetLight) -> State:
    # Ids on the wire have hyphens where names of patterns have underscores.
    name = wanted.pattern.replace("-", "_")
    if name not in set(Pattern):
        return state
    return replace(state, override=Override(Pattern(name), light.base(state)))


def _deadlines(state: State, now_s: float, policy: Policy) -> Transition:
    effects: list[Effect] = []
    pending = state.pending
    if pending is not None and now_s - pending.sent_s >= policy.answer_deadline_s:
        state = replace(state, pending=None)
        effects.append(Say(Phrase.NOBODY_ANSWERED))
    if state.arming is not None and now_s >= state.arming.expires_s:
        state = replace(state, arming=None)
        effects.append(Say(Phrase.DISARMED_EXPIRED))
    if state.unsure_until_s is not None and now_s >= state.unsure_until_s:
        state = replace(state, unsure_until_s=None)
    if state.accepted is not None and now_s >= state.accepted.until_s:
        state = replace(state, accepted=None)
    if state.recent_outcome is not None and now_s >= state.recent_outcome.until_s:
        state = replace(state, recent_outcome=None)
    if state.identify_until_s is not None and now_s >= state.identify_until_s:
        state = replace(state, identify_until_s=None)
    if (countdown := state.countdown) is not None and now_s >= countdown.due_s:
        following = replace(countdown, left=countdown.left - 1, due_s=countdown.due_s + 1.0)
        state = replace(state, countdown=following if following.left else None)
        effects.append(Say(Phrase.COUNT, {"number": countdown.left}))
    return state, tuple(effects)
