"""Leadership by a lease in PostgreSQL: of several servers one leads an app, and no two at a time.

A lease can't call back what is on its way already. So a server believes in less than the database
grants, asks the database before each act (`fence`), and gives up in the middle when the lease is
not renewed in time (`guard`); whoever takes over looks before it acts.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_server.errors import LeaseLostError
from bigred_server.journal import leases
from bigred_server.journal.database import Database
from bigred_server.journal.lease_state import LEASE_S, LeaseState

log = structlog.get_logger(__name__)

ANSWER_S = 2.0
"""How long an answer is waited for: at least twice in the life of a lease."""


def _clock_s() -> float:
    # Unlike the monotonic clock it counts the time that a machine was suspended.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """The lease of one app. `holder` names one run of one server, and never comes again.

    Run `run()` as a task: it keeps the lease up while others are busy. `hold()` costs nothing while
    nothing is due. Call `resign()` when nothing is done any more that needs the lease.
    """

    def __init__(
        self, db: Database, app: str, holder: str, clock_s: Callable[[], float] = _clock_s
    ) -> None:
        self._db = db
        self._app = app
        self._holder = holder
        self._clock_s = clock_s
        self._state = LeaseState()
        self._is_asking = False
        self._trouble = ""
        self._guards: dict[asyncio.Timeout, int] = {}

    @property
    def token(self) -> int:
        """The fencing token: it grows with every change of the leader."""
        return self._state.token

    @property
    def lost_to_another(self) -> bool:
        """Whether another server had the lease when the database was last asked."""
        return self._state.lost_to_another

    def left_s(self) -> float:
        """Say for how many more seconds this server surely leads; 0 when it does not."""
        return self._state.left_s(self._clock_s())

    async def run(self) -> None:
        """Take the lease whenever it is free, and renew it, until cancelled."""
        while True:
            await self.hold()
            await asyncio.sleep(max(0.05, self._state.ask_at_s - self._clock_s()))

    async def hold(self) -> bool:
        """Take or renew the lease, if that is due; say whether this server leads now."""
        if not self._is_asking and self._clock_s() >= self._state.ask_at_s:
            self._is_asking = True
            try:
                await self._ask()
            finally:
                self._is_asking = False
        return self.left_s() > 0

    async def fence(self, db: AsyncConnection) -> None:
        """Make the transaction fail, with LeaseLostError, unless this server still leads.

        Nobody takes over before the transaction ends.
        """
        self._check()
        if not await leases.is_held(db, self._app, self._holder, self.token):
            raise self._lost()

    @contextlib.asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Bound a block by the lease: it is cancelled when the lease is over and not renewed."""
        self._check()
        bound = asyncio.timeout(self.left_s())
        self._guards[bound] = self.token
        try:
            async with bound:
                yield
        except TimeoutError as error:
            if not bound.expired():
                raise
            raise self._lost() from error
        finally:
            del self._guards[bound]

    async def resign(self) -> None:
        """Have another server lead at once. Without an answer it does so when the lease is over."""
        led = self.left_s() > 0
        self._enter(self._state.resigned())
        if not led:
            return
        try:
            async with asyncio.timeout(ANSWER_S), self._db.aside() as db:
                await leases.give_back(db, self._app, self._holder, self.token)
        except (SQLAlchemyError, TimeoutError) as error:
            log.warning("the lease is not given back", lease=self._app, reason=_told(error))

    async def _ask(self) -> None:
        asked_at_s = self._clock_s()
        try:
            async with asyncio.timeout(ANSWER_S), self._db.aside() as db:
                token = await leases.take(db, self._app, self._holder, LEASE_S)
        except (SQLAlchemyError, TimeoutError) as error:
            self._complain(_told(error))
            self._enter(self._state.unanswered(self._clock_s()))
        else:
            self._trouble = ""
            if token is None:
                self._enter(self._state.refused(self._clock_s()))
            else:
                self._enter(self._state.granted(token, asked_at_s))

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("the lease is not renewed", lease=self._app, reason=trouble)

    def _enter(self, state: LeaseState) -> None:
        was, self._state = self._state, state
        if state.token != was.token:
            log.info("the lease is ours", lease=self._app, token=state.token)
        elif state.lost_to_another and not was.lost_to_another:
            log.info("another server has the lease", lease=self._app)
        # A block that began under an earlier token has seen the lease end.
        now_s, left_s = asyncio.get_running_loop().time(), self.left_s()
        for bound, token in self._guards.items():
            if not bound.expired():
                bound.reschedule(now_s + left_s if token == state.token else now_s)

    def _check(self) -> None:
        if not self.left_s():
            raise self._lost()

    def _lost(self) -> LeaseLostError:
        return LeaseLostError(
            f"this server does not lead {self._app} any more; whoever does goes on from its look"
        )


def _told(error: SQLAlchemyError | TimeoutError) -> str:
    reason = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(reason).split()) or f"no answer within {ANSWER_S:g} s"
