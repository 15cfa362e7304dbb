"""The names of all phrases. Their words are in the packs in this folder."""

from dataclasses import dataclass
from enum import StrEnum


class Phrase(StrEnum):
    """Everything the box says by itself; every pack has a line for each."""

    ARMED = "armed"
    ARMED_NO_AUTHOR = "armed_no_author"
    ARMED_ELSEWHERE = "armed_elsewhere"
    NOT_ARMED = "not_armed"
    DISARMED = "disarmed"
    DISARMED_EXPIRED = "disarmed_expired"
    DISARMED_LATE = "disarmed_late"
    DISARMED_LOST = "disarmed_lost"
    LIFT_THE_LID = "lift_the_lid"
    ACCEPTED = "accepted"
    COUNT = "count"
    REFUSED = "refused"
    STOP_ASKED = "stop_asked"
    NOBODY_ANSWERED = "nobody_answered"
    NOT_CONNECTED = "not_connected"
    BROKER_AWAY = "broker_away"
    SERVER_AWAY = "server_away"
    SERVER_BACK = "server_back"
    BUTTON_LOST = "button_lost"
    BUTTON_MISSING = "button_missing"
    BUTTON_FOUND = "button_found"
    CANDIDATE = "candidate"
    CANDIDATE_CHANGES = "candidate_changes"
    STARTED = "started"
    CANARY = "canary"
    ROLLING = "rolling"
    BAKING = "baking"
    PROGRESS = "progress"
    HOLDING = "holding"
    ROLLING_BACK = "rolling_back"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    FAILED = "failed"
    IDENTIFY = "identify"
    TEST = "test"


@dataclass(frozen=True)
class Servers:
    """A number of servers; each pack words it in its own language."""

    count: int


@dataclass(frozen=True)
class Changes:
    """A number of commits and their authors; each pack words it in its own language."""

    count: int
    authors: tuple[str, ...]


Value = str | int | Servers | Changes
