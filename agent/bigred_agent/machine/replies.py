"""Handles the server's replies to this box's events. A reply that is not awaited is ignored."""

import math
from dataclasses import replace

from bigred_agent.machine.effects import Say
from bigred_agent.machine.state import Accepted, Arming, Countdown, Pending, Policy, State
from bigred_agent.machine.transition import Transition
from bigred_agent.phrases.phrase import Phrase, Servers
from bigred_agent.phrases.spoken import release_values
from bigred_broker.messages import Answer, EventType, Phase, Reply


def handle(state: State, reply: Reply, now_s: float, policy: Policy) -> Transition:
    """Handle one reply."""
    pending = state.pending
    if pending is None or pending.id != reply.id:
        return state, ()
    state = replace(state, pending=None)
    if pending.kind is EventType.LID_OPEN:
        return _lid_reply(state, pending, reply)
    return _press_reply(state, pending, reply, now_s, policy)


def _lid_reply(state: State, pending: Pending, reply: Reply) -> Transition:
    if reply.answer is not Answer.ARMED or reply.arming is None or reply.app is None:
        return state, (Say(Phrase.NOT_ARMED, {"reason": _reason(reply)}),)
    # Counted from the request, so that the box never outlives the server's own deadline.
    expires_s = pending.sent_s + reply.expires_in_s
    state = replace(state, arming=Arming(reply.arming, reply.app, expires_s))
    values = release_values(reply.app, reply.release)
    phrase = Phrase.ARMED
    if not (reply.release and reply.release.author):
        phrase = Phrase.ARMED_NO_AUTHOR
        values.pop("author")
    if not reply.nodes:
        # Deployed by another system: its servers are not known here.
        values.pop("author", None)
        return state, (Say(Phrase.ARMED_ELSEWHERE, values),)
    return state, (Say(phrase, {**values, "servers": Servers(reply.nodes)}),)


def _press_reply(
    state: State, pending: Pending, reply: Reply, now_s: float, policy: Policy
) -> Transition:
    if reply.answer is not Answer.ACCEPTED:
        return state, (Say(Phrase.REFUSED, {"reason": _reason(reply)}),)
    if pending.arming is None:
        # A press during a deployment. On hold it continues, which the next phase announces.
        on_hold = state.running is not None and state.running.phase is Phase.HOLDING
        return state, () if on_hold else (Say(Phrase.STOP_ASKED),)
    state = replace(state, fired_s=now_s)
    if reply.deployment is not None and not _is_known(state, reply.deployment):
        until_s = now_s + reply.countdown_s + policy.first_state_deadline_s
        state = replace(state, accepted=Accepted(reply.deployment, until_s))
    if (seconds := math.floor(reply.countdown_s)) > 0:
        # "Firing missiles!" is spoken first; the numbers follow on the second.
        first_s = now_s + reply.countdown_s - seconds
        state = replace(state, countdown=Countdown(reply.deployment, seconds, first_s))
    return state, (Say(Phrase.ACCEPTED),)


def _is_known(state: State, deployment: str) -> bool:
    return any(known.state.deployment == deployment for known in state.apps.values())


def _reason(reply: Reply) -> str:
    return reply.reason or (reply.code.value.replace("_", " ") if reply.code else "")
