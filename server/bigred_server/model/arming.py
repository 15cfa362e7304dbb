"""An arming: the server's one-time permission for one box to fire one release."""

import secrets
from dataclasses import dataclass

from bigred_broker.messages import Refusal

LIFE_S = 60.0


@dataclass(frozen=True)
class Arming:
    """A challenge of 128 random bits, bound to a box, an app and a release's digest.

    Valid for one press until `deadline_s`, by the monotonic clock of the server's run `server_run`.
    """

    id: str
    box: str
    app: str
    digest: str
    server_run: str
    deadline_s: float
    made_at: float
    used_at: float | None = None


def new_id() -> str:
    """Return 128 random bits as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def refusal(arming: Arming | None, box: str, server_run: str, now_s: float) -> Refusal | None:
    """Return why a press of `box` with this arming is refused, or None if the arming is valid.

    `now_s` is the monotonic clock of the server's run.
    """
    if arming is None or arming.box != box:
        return Refusal.NO_ARMING
    if arming.used_at is not None:
        return Refusal.USED
    if arming.server_run != server_run or now_s > arming.deadline_s:
        return Refusal.EXPIRED
    return None
