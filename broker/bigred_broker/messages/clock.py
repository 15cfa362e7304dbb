"""The clock of a server: how a box says when something happened.

A box and the server never compare wall clocks: a box may have none. Every reply and beacon carries
the server's monotonic clock, and every event of a box carries that clock as it stood, as far as the
box knows, when the event happened.
"""

from bigred_broker.messages.base import Amount, Id, Message, Part


class ServerClock(Part):
    """The monotonic clock of one run of a server, in milliseconds."""

    run: Id
    at_ms: Amount


class Beacon(Message):
    """`server/beacon`, never retained: the server's clock, every few seconds.

    `spread_s`: over how many seconds the boxes spread what all of them would do at the same moment,
    such as to come back to a broker that was restarted. The more boxes, the longer.
    """

    clock: ServerClock
    spread_s: Amount = 0.0
