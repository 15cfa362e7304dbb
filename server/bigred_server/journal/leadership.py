"""Leadership: one of several servers leads an app, for as long as its lease lasts."""

import contextlib
from typing import Protocol

from bigred_server.journal.connection import AsyncConnection


class Leadership(Protocol):
    """Whether this server leads an app, and so may act on its nodes."""

    @property
    def token(self) -> int:
        """The fencing token: it grows with every change of the leader."""

    async def hold(self) -> bool:
        """Acquire or renew the lease; return whether this server leads now. Never raise."""

    def left_s(self) -> float:
        """Return for how many more seconds this server certainly leads, by its monotonic clock."""

    async def fence(self, db: AsyncConnection) -> None:
        """Raise LeaseLostError in a transaction unless this server still leads."""

    def guard(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Cancel a block when the lease ends without being renewed.

        Raise LeaseLostError then, or at once if the lease has already ended.
        """
