"""Leadership: of several servers one leads an app, and only as long as its lease lasts."""

import contextlib
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection


class Leadership(Protocol):
    """What a rollout needs to know of whether it may act."""

    @property
    def token(self) -> int:
        """The fencing token: it grows with every change of the leader."""

    async def hold(self) -> bool:
        """Take the lease or renew it; say whether this server leads now. Never raises."""

    def left_s(self) -> float:
        """Say for how many more seconds this server surely leads, by its monotonic clock."""

    async def fence(self, db: AsyncConnection) -> None:
        """Make the transaction fail, with LeaseLostError, unless this server still leads."""

    def guard(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Bound a block by the lease: it is cancelled when the lease is over and not renewed.

        Raises LeaseLostError, at once where the lease is over already.
        """
