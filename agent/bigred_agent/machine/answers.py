"""What the server answers to an event of ours. An answer nobody waits for is ignored."""

import math
from dataclasses import replace

from bigred_agent.machine.deeds import Deeds, Say
from bigred_agent.machine.state import Accepted, Arming, Countdown, Policy, State, Waiting
from bigred_agent.phrases.phrase import Phrase, Servers
from bigred_agent.phrases.spoken import release_values
from bigred_broker.messages import Answer, EventType, Phase, Reply

Outcome = tuple[State, Deeds]


def handle(state: State, reply: Reply, now_s: float, policy: Policy) -> Outcome:
    """Take in one answer."""
    waiting = state.waiting
    if waiting is None or waiting.id != reply.id:
        return state, ()
    state = replace(state, waiting=None)
    if waiting.kind is EventType.LID_OPEN:
        return _to_the_lid(state, waiting, reply)
    return _to_the_press(state, waiting, reply, now_s, policy)


def _to_the_lid(state: State, waiting: Waiting, reply: Reply) -> Outcome:
    if reply.answer is not Answer.ARMED or reply.arming is None or reply.app is None:
        return state, (Say(Phrase.NOT_ARMED, {"reason": _reason(reply)}),)
    # Counted from the question, so that ours is never the arming that lives longer.
    expires_s = waiting.sent_s + reply.expires_in_s
    state = replace(state, arming=Arming(reply.arming, reply.app, expires_s))
    values = release_values(reply.app, reply.release)
    phrase = Phrase.ARMED
    if not (reply.release and reply.release.author):
        phrase = Phrase.ARMED_NO_AUTHOR
        values.pop("author")
    if not reply.nodes:
        # Deployed elsewhere: to which servers is not known here.
        values.pop("author", None)
        return state, (Say(Phrase.ARMED_ELSEWHERE, values),)
    return state, (Say(phrase, {**values, "servers": Servers(reply.nodes)}),)


def _to_the_press(
    state: State, waiting: Waiting, reply: Reply, now_s: float, policy: Policy
) -> Outcome:
    if reply.answer is not Answer.ACCEPTED:
        return state, (Say(Phrase.REFUSED, {"reason": _reason(reply)}),)
    if waiting.arming is None:
        # A press into a running deployment: on hold it goes on, and the next phase says so.
        on_hold = state.running is not None and state.running.phase is Phase.HOLDING
        return state, () if on_hold else (Say(Phrase.STOP_ASKED),)
    state = replace(state, fired_s=now_s)
    if reply.deployment is not None and not _is_known(state, reply.deployment):
        until_s = now_s + reply.countdown_s + policy.first_state_deadline_s
        state = replace(state, accepted=Accepted(reply.deployment, until_s))
    if (seconds := math.floor(reply.countdown_s)) > 0:
        # "Firing missiles!" is spoken first; the numbers follow on the beat.
        first_s = now_s + reply.countdown_s - seconds
        state = replace(state, countdown=Countdown(reply.deployment, seconds, first_s))
    return state, (Say(Phrase.ACCEPTED),)


def _is_known(state: State, deployment: str) -> bool:
    return any(known.state.deployment == deployment for known in state.apps.values())


def _reason(reply: Reply) -> str:
    return reply.reason or (reply.code.value.replace("_", " ") if reply.code else "")
