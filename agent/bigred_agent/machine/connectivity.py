"""Whether the box can reach the broker and the server, and when to announce a change."""

from dataclasses import replace

from bigred_agent.machine.effects import Effect, Say
from bigred_agent.machine.events import ServerStatus
from bigred_agent.machine.state import Connectivity, Policy, State
from bigred_agent.machine.transition import Transition
from bigred_agent.phrases.phrase import Phrase
from bigred_broker.link_status import LinkDown, LinkUp

_SENTENCES = {
    Connectivity.NONE: Phrase.BROKER_AWAY,
    Connectivity.BROKER: Phrase.SERVER_AWAY,
    Connectivity.SERVER: Phrase.SERVER_BACK,
}


def handle(state: State, event: LinkUp | LinkDown | ServerStatus) -> Transition:
    """Handle a broker or server that came or went. Going voids what the server still owed."""
    match event:
        case LinkUp():
            return replace(state, link_up=True), ()
        case LinkDown():
            # The server's status is unknown now; on reconnecting, its retained status arrives.
            return _cut_off(replace(state, link_up=False, server=None))
        case ServerStatus(status):
            state = replace(state, server=status)
            return (state, ()) if state.connected else _cut_off(state)


def settle(state: State, now_s: float, policy: Policy) -> Transition:
    """Update the connectivity; announce a loss once it has lasted, a recovery at once."""
    current = _current(state)
    if current is not state.connectivity:
        state = replace(state, connectivity=current, connectivity_since_s=now_s)
    if current is state.announced_connectivity:
        return state, ()
    if current is not Connectivity.SERVER and now_s - state.connectivity_since_s < policy.settle_s:
        return state, ()
    return replace(state, announced_connectivity=current), (Say(_SENTENCES[current]),)


def _current(state: State) -> Connectivity:
    if not state.link_up:
        return Connectivity.NONE
    return Connectivity.SERVER if state.connected else Connectivity.BROKER


def _cut_off(state: State) -> Transition:
    effects: list[Effect] = []
    if state.arming is not None:
        effects.append(Say(Phrase.DISARMED_LOST))
    elif state.pending is not None:
        effects.append(Say(Phrase.NOBODY_ANSWERED))
    state = replace(state, arming=None, pending=None, countdown=None, press_published=False)
    return state, tuple(effects)
