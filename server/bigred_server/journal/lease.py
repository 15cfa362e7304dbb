"""Leadership by a lease in PostgreSQL: at most one server leads an app at any time.

A lease can't recall an act that is already in progress. So a server assumes a shorter lease than
the database grants, checks with the database before each act (`fence`), and stops in the middle if
the lease is not renewed in time (`guard`). Its successor looks at the fleet before it acts.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bigred_server.errors import LeaseLostError
from bigred_server.journal import leases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.journal.lease_state import LEASE_S, LeaseState

log = structlog.get_logger(__name__)

ANSWER_S = 2.0
"""How long to wait for an answer; short enough for two attempts within a lease."""


def _clock_s() -> float:
    # Unlike the monotonic clock, this one counts the time that a machine was suspended.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """The lease of one app. `holder` names one run of one server and is never used again.

    Run `run()` as a task: it renews the lease while other tasks are busy. `hold()` costs nothing
    unless a renewal is due. Call `resign()` when nothing that needs the lease is running any more.
    """

    def __init__(
        self, db: Database, app: str, holder: str, clock_s: Callable[[], float] = _clock_s
    ) -> None:
        self._db = db
        self._app = app
        self._holder = holder
        self._clock_s = clock_s
        self._state = LeaseState()
        self._is_requesting = False
        self._reported = ""
        self._guards: dict[asyncio.Timeout, int] = {}

    @property
    def token(self) -> int:
        """The fencing token: it grows with every change of the leader."""
        return self._state.token

    @property
    def lost_to_another(self) -> bool:
        """Whether another server held the lease at the last attempt to renew it."""
        return self._state.lost_to_another

    def left_s(self) -> float:
        """Return for how many more seconds this server certainly leads; 0 if it does not."""
        return self._state.left_s(self._clock_s())

    async def run(self) -> None:
        """Acquire the lease whenever it is free, and renew it, until cancelled."""
        while True:
            await self.hold()
            await asyncio.sleep(max(0.05, self._state.request_at_s - self._clock_s()))

    async def hold(self) -> bool:
        """Acquire or renew the lease if that is due; return whether this server leads now."""
        if not self._is_requesting and self._clock_s() >= self._state.request_at_s:
            self._is_requesting = True
            try:
                await self._request()
            finally:
                self._is_requesting = False
        return self.left_s() > 0

    async def fence(self, db: AsyncConnection) -> None:
        """Raise LeaseLostError in a transaction unless this server still leads.

        No other server can take over before the transaction ends.
        """
        self._check()
        if not await leases.is_held(db, self._app, self._holder, self.token):
            raise self._lost()

    @contextlib.asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Cancel a block, with LeaseLostError, when the lease ends without being renewed."""
        self._check()
        timeout = asyncio.timeout(self.left_s())
        self._guards[timeout] = self.token
        try:
            async with timeout:
                yield
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise self._lost() from error
        finally:
            del self._guards[timeout]

    async def resign(self) -> None:
        """Release the lease so that another server can lead at once; if that fails, it expires."""
        was_leading = self.left_s() > 0
        self._enter(self._state.resigned())
        if not was_leading:
            return
        try:
            async with asyncio.timeout(ANSWER_S), self._db.write_concurrently() as db:
                await leases.release(db, self._app, self._holder, self.token)
        except (SQLAlchemyError, TimeoutError) as error:
            log.warning("can't release the lease", lease=self._app, reason=_reason(error))

    async def _request(self) -> None:
        requested_at_s = self._clock_s()
        try:
            async with asyncio.timeout(ANSWER_S), self._db.write_concurrently() as db:
                token = await leases.acquire(db, self._app, self._holder, LEASE_S)
        except (SQLAlchemyError, TimeoutError) as error:
            self._warn(_reason(error))
            self._enter(self._state.unanswered(self._clock_s()))
        else:
            self._reported = ""
            if token is None:
                self._enter(self._state.refused(self._clock_s()))
            else:
                self._enter(self._state.granted(token, requested_at_s))

    def _warn(self, reason: str) -> None:
        if reason != self._reported:
            self._reported = reason
            log.warning("can't renew the lease", lease=self._app, reason=reason)

    def _enter(self, state: LeaseState) -> None:
        was, self._state = self._state, state
        if state.token != was.token:
            log.info("acquired the lease", lease=self._app, token=state.token)
        elif state.lost_to_another and not was.lost_to_another:
            log.info("another server has the lease", lease=self._app)
        # The lease ended at least once since a block began under an earlier token: cancel it.
        now_s, left_s = asyncio.get_running_loop().time(), self.left_s()
        for timeout, token in self._guards.items():
            if not timeout.expired():
                timeout.reschedule(now_s + left_s if token == state.token else now_s)

    def _check(self) -> None:
        if not self.left_s():
            raise self._lost()

    def _lost(self) -> LeaseLostError:
        return LeaseLostError(
            f"this server no longer leads {self._app}; the server that does continues"
        )


def _reason(error: SQLAlchemyError | TimeoutError) -> str:
    reason = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(reason).split()) or f"no answer within {ANSWER_S:g} s"
