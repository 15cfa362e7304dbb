"""The state machine's single entry: one happening in, a new state and the deeds out."""

from dataclasses import replace

from bigred_agent.buttons.reading import ButtonEvent
from bigred_agent.lights.patterns import Pattern
from bigred_agent.machine import answers, deployments, hand, light, reach
from bigred_agent.machine.deeds import Deed, Deeds, Say, SayText
from bigred_agent.machine.happenings import AppIs, AppIsGone, Happening, ServerIs, Tick
from bigred_agent.machine.state import Override, Policy, State
from bigred_agent.phrases.phrase import Phrase
from bigred_agent.phrases.spoken import spoken_name
from bigred_broker.link import LinkDown, LinkUp
from bigred_broker.messages import Reply, SetIdentify, SetLight, SetSay

Outcome = tuple[State, Deeds]


def step(state: State, happening: Happening, now_s: float, policy: Policy) -> Outcome:
    """Take in one happening. Deadlines that have passed are dealt with first. Never raises."""
    state, overdue = _deadlines(state, now_s, policy)
    state, deeds = _dispatch(state, happening, now_s, policy)
    state, told = reach.settle(state, now_s, policy)
    if state.override is not None and light.base(state) is not state.override.base:
        state = replace(state, override=None)
    return state, (*overdue, *deeds, *told)


def _dispatch(state: State, happening: Happening, now_s: float, policy: Policy) -> Outcome:
    match happening:
        case Tick():
            return state, ()
        case LinkUp() | LinkDown() | ServerIs():
            return reach.handle(state, happening)
        case ButtonEvent():
            return hand.handle(state, happening, now_s, policy)
        case Reply():
            return answers.handle(state, happening, now_s, policy)
        case AppIs():
            return deployments.handle(state, happening, now_s, policy)
        case AppIsGone(app):
            return deployments.forget(state, app), ()
        case SetSay():
            return state, (SayText(happening.text),)
        case SetLight():
            return _set_light(state, happening), ()
        case SetIdentify():
            state = replace(state, identify_until_s=now_s + policy.identify_s)
            return state, (Say(Phrase.IDENTIFY, {"box": spoken_name(state.box)}),)


def _set_light(state: State, wanted: SetLight) -> State:
    # An id on the wire has hyphens where a pattern's name has underscores.
    name = wanted.pattern.replace("-", "_")
    if name not in set(Pattern):
        return state
    return replace(state, override=Override(Pattern(name), light.base(state)))


def _deadlines(state: State, now_s: float, policy: Policy) -> Outcome:
    deeds: list[Deed] = []
    waiting = state.waiting
    if waiting is not None and now_s - waiting.sent_s >= policy.answer_deadline_s:
        state = replace(state, waiting=None)
        deeds.append(Say(Phrase.NOBODY_ANSWERED))
    if state.arming is not None and now_s >= state.arming.expires_s:
        state = replace(state, arming=None)
        deeds.append(Say(Phrase.DISARMED_EXPIRED))
    if state.accepted is not None and now_s >= state.accepted.until_s:
        state = replace(state, accepted=None)
    if state.news is not None and now_s >= state.news.until_s:
        state = replace(state, news=None)
    if state.identify_until_s is not None and now_s >= state.identify_until_s:
        state = replace(state, identify_until_s=None)
    if (countdown := state.countdown) is not None and now_s >= countdown.due_s:
        following = replace(countdown, left=countdown.left - 1, due_s=countdown.due_s + 1.0)
        state = replace(state, countdown=following if following.left else None)
        deeds.append(Say(Phrase.COUNT, {"number": countdown.left}))
    return state, tuple(deeds)
