"""The deploy server: a seat at the journal, a desk for the boxes, and one controller an app."""

import asyncio
import signal

import httpx2
import structlog

from bigred_server.arming.presses import Presses
from bigred_server.desk import Desk
from bigred_server.errors import HaproxyAwayError, HaproxyError, NotRunningError
from bigred_server.fleet import RealFleet
from bigred_server.journal import seat
from bigred_server.journal.database import Place
from bigred_server.journal.seat import Seat
from bigred_server.pipeline.store import Store
from bigred_server.rollout.adoption import Adoption
from bigred_server.rollout.controller import Controller
from bigred_server.rollout.narrator import Narrator
from bigred_server.settings import AppSettings, ServerSettings, Settings
from bigred_server.tomcat.probe import client

log = structlog.get_logger(__name__)


def journal_place(server: ServerSettings) -> Place:
    """Say where the journal is: in PostgreSQL, or a file in the state folder."""
    return server.database or server.state / "bigred.db"


def release_store(server: ServerSettings) -> Store:
    """Give the store of releases."""
    return Store(server.releases or server.state / "releases")


async def serve(settings: Settings) -> None:
    """Run the server until SIGTERM or SIGINT.

    Raises NotRunningError when another one uses the journal or the name, JournalError when the
    journal can't be opened, HaproxyError when an app's HAProxy denies us what we need.
    """
    place = journal_place(settings.server)
    async with seat.taken(place, settings.server.name, settings.apps) as taken, client() as http:
        await Server(settings, taken, http).run()


class Server:
    """All parts of a running server."""

    def __init__(self, settings: Settings, taken: Seat, http: httpx2.AsyncClient) -> None:
        self._seat = taken
        self._desk = Desk(settings, taken.leads)
        store = release_store(settings.server)
        self._fleets = {name: RealFleet(app, store, http) for name, app in settings.apps.items()}
        self._controllers = {
            name: self._controller(name, app, store) for name, app in settings.apps.items()
        }
        self._presses = Presses(
            settings,
            taken.db,
            self._fleets,
            taken.run,
            lambda app: self._controllers[app].wake(),
        )

    def _controller(self, name: str, app: AppSettings, store: Store) -> Controller:
        wars = {name: node.war for name, node in app.nodes.items() if node.war}
        return Controller(
            app=name,
            db=self._seat.db,
            fleet=self._fleets[name],
            policy=app.policy(),
            adoption=Adoption(name, self._seat.db, store, app.marker, wars),
            narrator=Narrator(self._seat.db, self._desk.publish_event),
            tell=self._desk.keep_state,
        )

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT. Raises NotRunningError when the name is another's now."""
        await self._check_fleets()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with asyncio.TaskGroup() as tasks:
            kept = tasks.create_task(self._keep_seat(stopped))
            running = [
                tasks.create_task(self._desk.run(self._presses)),
                *(tasks.create_task(each.run()) for each in self._controllers.values()),
            ]
            log.info("the server runs", apps=list(self._controllers))
            await stopped.wait()
            log.info("the server stops")
            for task in (kept, *running):
                task.cancel()
        if not kept.cancelled() and (reason := kept.result()):
            raise reason

    async def _keep_seat(self, stopped: asyncio.Event) -> NotRunningError:
        """Keep the seat; when that can't be, stop in good order and give the reason."""
        try:
            await self._seat.keep()
        except NotRunningError as error:
            stopped.set()
            return error

    async def _check_fleets(self) -> None:
        for name, fleet in self._fleets.items():
            try:
                await fleet.check()
            except HaproxyAwayError as error:
                # It may come up later; until then nothing is armed and no node is touched.
                log.warning("HAProxy is away", app=name, reason=str(error))
            except HaproxyError as error:
                raise HaproxyError(f"app {name}: {error}") from error
