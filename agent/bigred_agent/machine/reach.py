"""Whether the server can be heard, and when that is worth a sentence."""

from dataclasses import replace

from bigred_agent.machine.deeds import Deed, Deeds, Say
from bigred_agent.machine.happenings import ServerIs
from bigred_agent.machine.state import Policy, Reach, State
from bigred_agent.phrases.phrase import Phrase
from bigred_broker.link import LinkDown, LinkUp

Outcome = tuple[State, Deeds]

_SENTENCES = {
    Reach.NOWHERE: Phrase.BROKER_AWAY,
    Reach.BROKER: Phrase.SERVER_AWAY,
    Reach.SERVER: Phrase.SERVER_BACK,
}


def handle(state: State, happening: LinkUp | LinkDown | ServerIs) -> Outcome:
    """Take in that a neighbour came or went. What was open with the server is void then."""
    match happening:
        case LinkUp():
            return replace(state, link_up=True), ()
        case LinkDown():
            # What the server was is not known any more; its retained status tells, on coming back.
            return _cut_off(replace(state, link_up=False, server=None))
        case ServerIs(status):
            state = replace(state, server=status)
            return (state, ()) if state.connected else _cut_off(state)


def settle(state: State, now_s: float, policy: Policy) -> Outcome:
    """Follow the reach, and speak of it once it has stood for a while; of good news at once."""
    reach = _reach(state)
    if reach is not state.reach:
        state = replace(state, reach=reach, reach_since_s=now_s)
    if reach is state.reach_told:
        return state, ()
    if reach is not Reach.SERVER and now_s - state.reach_since_s < policy.settle_s:
        return state, ()
    return replace(state, reach_told=reach), (Say(_SENTENCES[reach]),)


def _reach(state: State) -> Reach:
    if not state.link_up:
        return Reach.NOWHERE
    return Reach.SERVER if state.connected else Reach.BROKER


def _cut_off(state: State) -> Outcome:
    deeds: list[Deed] = []
    if state.arming is not None:
        deeds.append(Say(Phrase.DISARMED_LOST))
    elif state.waiting is not None:
        deeds.append(Say(Phrase.NOBODY_ANSWERED))
    state = replace(state, arming=None, waiting=None, countdown=None, press_told=False)
    return state, tuple(deeds)
