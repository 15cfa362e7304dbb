"""What a server knows about its lease. Pure: the caller passes the time of a steady clock."""

import math
from dataclasses import dataclass, replace

LEASE_S = 10.0
"""How long a lease lasts; plus `_RETRY_REFUSED_S`, the longest time an app has no leader."""

_RENEW_AFTER_S = LEASE_S / 3
_RETRY_REFUSED_S = 1.0
_RETRY_UNANSWERED_S = 0.5


@dataclass(frozen=True)
class LeaseState:
    """The token of a lease, its end, and when to request it again.

    `lost_to_another`: the last answer was that another server holds the lease.
    """

    token: int = 0
    until_s: float = -math.inf
    request_at_s: float = -math.inf
    lost_to_another: bool = False

    def left_s(self, now_s: float) -> float:
        """Return for how many more seconds the lease certainly lasts; 0 if it has ended."""
        return max(0.0, self.until_s - now_s)

    def granted(self, token: int, requested_at_s: float) -> "LeaseState":
        """Return the state after the database has granted the request sent at this time.

        The lease counts from the request, so the row never expires before this server expects.
        """
        return LeaseState(token, requested_at_s + LEASE_S, requested_at_s + _RENEW_AFTER_S)

    def refused(self, now_s: float) -> "LeaseState":
        """Return the state after another server turned out to hold the lease: ours has ended."""
        return LeaseState(self.token, -math.inf, now_s + _RETRY_REFUSED_S, lost_to_another=True)

    def unanswered(self, now_s: float) -> "LeaseState":
        """Return the state after a request without an answer: the earlier grant still counts."""
        return replace(self, request_at_s=now_s + _RETRY_UNANSWERED_S)

    def resigned(self) -> "LeaseState":
        """Return the state after resigning: the lease has ended and is never requested again."""
        return LeaseState(self.token, request_at_s=math.inf)
