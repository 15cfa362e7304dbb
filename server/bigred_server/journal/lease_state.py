"""What a server knows of its lease. Pure: it is told the time, by a clock that never goes back."""

import math
from dataclasses import dataclass, replace

LEASE_S = 10.0
"""How long a lease lasts un-renewed: with the pause below, the longest an app is without leader."""

_RENEW_AFTER_S = LEASE_S / 3
_LOOK_AGAIN_S = 1.0
_TRY_AGAIN_S = 0.5


@dataclass(frozen=True)
class LeaseState:
    """Since when, under which token, and until when a server leads; when it is to ask again.

    `lost_to_another`: the last answer was that another server has the lease.
    """

    token: int = 0
    until_s: float = -math.inf
    ask_at_s: float = -math.inf
    lost_to_another: bool = False

    def left_s(self, now_s: float) -> float:
        """Say for how many more seconds the lease surely lasts; 0 when it is over."""
        return max(0.0, self.until_s - now_s)

    def granted(self, token: int, asked_at_s: float) -> "LeaseState":
        """The database has granted what was asked for at this time, or later.

        Counted from when it was asked: so the row never ends before we think it does.
        """
        return LeaseState(token, asked_at_s + LEASE_S, asked_at_s + _RENEW_AFTER_S)

    def refused(self, now_s: float) -> "LeaseState":
        """Another has the lease: ours is over, whatever we thought."""
        return LeaseState(self.token, -math.inf, now_s + _LOOK_AGAIN_S, lost_to_another=True)

    def unanswered(self, now_s: float) -> "LeaseState":
        """Nobody knows whether the database has heard us: what was granted before still counts."""
        return replace(self, ask_at_s=now_s + _TRY_AGAIN_S)

    def resigned(self) -> "LeaseState":
        """Over, and never asked for again."""
        return LeaseState(self.token, ask_at_s=math.inf)
