"""Whether an event of a box comes in time. Pure.

A box that gets no reply within its answer deadline says that nobody answered. So an event that is
older than that has no effect, wherever the time went: in the box, in a socket, at the broker, or in
a server that stood still. Its age is the server's own monotonic time since the moment that the box
names by the server's clock (see `bigred_broker.messages.clock`); wall clocks are never compared.
"""

from bigred_broker.messages import BoxEvent, EventType, Refusal
from bigred_server.requests import sentences
from bigred_server.requests.gates import GateRefusal

ANSWERING_S = 0.1
"""What is left of the answer deadline for writing the journal and sending the reply."""

# A clock that stood still, with its machine, makes an event seem to come from the future.
_MOST_AHEAD_S = 0.5


def refusal(event: BoxEvent, run: str, clock_s: float) -> GateRefusal | None:
    """Return why an event comes too late, or None if it comes in time.

    `run` is this run of the server, `clock_s` its clock. A lid needs no clock: an arming that
    nobody waits for can't be used.
    """
    happened = [clock.at_ms / 1000 for clock in event.clocks if clock.run == run]
    if happened:
        age_s = clock_s - max(happened)
    elif event.event_type in (EventType.LID_OPEN, EventType.LID_CLOSE):
        age_s = event.age_ms / 1000
    elif not event.clocks:
        return GateRefusal(Refusal.STALE, sentences.NO_CLOCK)
    elif event.arming is not None:
        return GateRefusal(Refusal.EXPIRED, sentences.PRESS_REFUSALS[Refusal.EXPIRED])
    else:
        return GateRefusal(Refusal.STALE, sentences.NEW_SERVER)
    if -_MOST_AHEAD_S <= age_s <= event.answer_within_ms / 1000 - ANSWERING_S:
        return None
    return GateRefusal(Refusal.STALE, sentences.STALE)
