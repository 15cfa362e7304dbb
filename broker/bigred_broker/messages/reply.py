"""What the server answers to an event of a box."""

from enum import StrEnum

from bigred_broker.messages.app import ReleaseNote
from bigred_broker.messages.base import Amount, Count, Id, Message, Text


class Answer(StrEnum):
    """What a box can be told about an event of its own."""

    ARMED = "armed"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why the server says no. The sentence beside it is for people; this is for programs."""

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
    """`box/<box>/reply`, never retained, expires: the answer to the event `id`.

    `command` is what an accepted press into a running deployment asked of it: `hold`, `continue`
    or `rollback`; None when it was the second of two presses and changed nothing.
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
