"""The server's reply to an event of a box."""

from enum import StrEnum

from bigred_broker.messages.app import ReleaseNote
from bigred_broker.messages.base import Amount, Count, Id, Message, Text
from bigred_broker.messages.clock import ServerClock


class Answer(StrEnum):
    """The kinds of replies."""

    ARMED = "armed"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why the server refuses, for programs; the `reason` is for people."""

    NO_CANDIDATE = "no_candidate"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    NOT_ALLOWED = "not_allowed"
    NO_ARMING = "no_arming"
    EXPIRED = "expired"
    USED = "used"
    STALE = "stale"
    BUSY = "busy"


class Reply(Message):
    """`box/<box>/reply`, never retained, expires: the reply to the event `id`.

    `command` is the effect of a press accepted during a deployment: `hold`, `continue` or
    `rollback`; None if it was the second of two presses and changed nothing. `clock`: the server's
    clock when it sent the reply.
    """

    id: Id
    answer: Answer
    app: Id | None = None
    release: ReleaseNote | None = None
    nodes: Count = 0
    arming: Id | None = None
    expires_in_s: Amount = 0.0
    deployment: Id | None = None
    countdown_s: Amount = 0.0
    command: Id | None = None
    code: Refusal | None = None
    reason: Text = ""
    clock: ServerClock | None = None
