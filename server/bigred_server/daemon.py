"""The deploy server: the link to the boxes, the answers to their presses, one controller an app."""

import asyncio
import contextlib
import signal
import time
import uuid
from collections import defaultdict
from collections.abc import Coroutine
from pathlib import Path

import httpx2
import structlog

from bigred_broker import homeassistant
from bigred_broker.connection import Delivery, NotConnectedError
from bigred_broker.faults import Faults
from bigred_broker.link import Link, LinkUp
from bigred_broker.messages import (
    AppEvent,
    AppState,
    BoxEvent,
    BoxInfo,
    MessageError,
    Reply,
    decode,
    encode,
)
from bigred_broker.topics import Topics
from bigred_server.arming.presses import Presses
from bigred_server.errors import HaproxyAwayError, HaproxyError
from bigred_server.fleet import RealFleet
from bigred_server.journal import lock
from bigred_server.journal.database import Database
from bigred_server.pipeline.store import Store
from bigred_server.rollout.adoption import Adoption
from bigred_server.rollout.controller import Controller
from bigred_server.rollout.narrator import Narrator
from bigred_server.settings import AppSettings, ServerSettings, Settings
from bigred_server.tomcat.probe import client

log = structlog.get_logger(__name__)

CLIENT_ID = "bigred-server"
_EXPIRY_S = 5
# A press that was on its way while the server died is delivered to the next one, which answers it.
_SESSION_EXPIRY_S = 30
_STATE_KEEPS_S = 10.0


def journal_path(state: Path) -> Path:
    """Say where the journal is, below the state folder."""
    return state / "bigred.db"


def release_store(server: ServerSettings) -> Store:
    """Give the store of releases."""
    return Store(server.releases or server.state / "releases")


async def serve(settings: Settings) -> None:
    """Run the server until SIGTERM or SIGINT.

    Raises NotRunningError when another one uses the journal, HaproxyError when an app's HAProxy
    denies us what we need.
    """
    journal = journal_path(settings.server.state)
    with lock.held(journal):
        db = await Database.open(journal)
        try:
            async with client() as http:
                await Server(settings, db, http).run()
        finally:
            await db.close()


class Server:
    """All parts of a running server."""

    def __init__(self, settings: Settings, db: Database, http: httpx2.AsyncClient) -> None:
        self._settings = settings
        self._db = db
        self._topics = Topics(settings.broker.prefix)
        self._link = Link(
            settings.broker,
            CLIENT_ID,
            self._topics.server_status,
            [self._topics.every_box, homeassistant.BIRTH_TOPIC],
            session_expiry_s=_SESSION_EXPIRY_S,
            # A press that was sent to be retained is none, also when it comes live.
            as_published=True,
        )
        self._faults = Faults()
        self._infos: dict[str, BoxInfo] = {}
        self._states: dict[str, tuple[float, AppState]] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        store = release_store(settings.server)
        self._fleets = {name: RealFleet(app, store, http) for name, app in settings.apps.items()}
        self._controllers = {
            name: self._controller(name, app, store) for name, app in settings.apps.items()
        }
        self._presses = Presses(settings, db, self._fleets, uuid.uuid4().hex, self._wake)

    def _controller(self, name: str, app: AppSettings, store: Store) -> Controller:
        wars = {name: node.war for name, node in app.nodes.items() if node.war}
        return Controller(
            app=name,
            db=self._db,
            fleet=self._fleets[name],
            policy=app.policy(),
            adoption=Adoption(name, self._db, store, app.marker, wars),
            narrator=Narrator(self._db, self._publish_event),
            tell=self._keep_state,
        )

    def _wake(self, app: str) -> None:
        self._controllers[app].wake()

    def _state_of(self, app: str) -> AppState | None:
        told_at_s, state = self._states.get(app, (float("-inf"), None))
        # Told twice a second by the server that leads the app; another one is told nothing.
        return state if time.monotonic() - told_at_s < _STATE_KEEPS_S else None

    def _api(self) -> list[Coroutine[None, None, None]]:
        """Give what serves the HTTP API, if one is wanted. Raises ApiError when it can't listen."""
        if not self._settings.api.listen:
            return []
        # Half a second of imports, which those who want none are spared, and so is every verb.
        from bigred_server.web import api, serve

        listening = serve.listening(self._settings.api.listen)
        store = release_store(self._settings.server)
        built = api.build(self._settings, self._db, store, self._wake, self._state_of)
        return [serve.serve(built, listening)]

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        await self._check_fleets()
        api = self._api()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._link.run()),
                tasks.create_task(self._listen(tasks)),
                *(tasks.create_task(each.run()) for each in self._controllers.values()),
                *map(tasks.create_task, api),
            ]
            log.info("the server runs", apps=list(self._controllers))
            await stopped.wait()
            log.info("the server stops")
            for task in running:
                task.cancel()

    async def _check_fleets(self) -> None:
        for name, fleet in self._fleets.items():
            try:
                await fleet.check()
            except HaproxyAwayError as error:
                # It may come up later; until then nothing is armed and no node is touched.
                log.warning("HAProxy is away", app=name, reason=str(error))
            except HaproxyError as error:
                raise HaproxyError(f"app {name}: {error}") from error

    async def _listen(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            happening = await self._link.happenings.get()
            if isinstance(happening, Delivery):
                tasks.create_task(self._receive(happening))
            elif isinstance(happening, LinkUp):
                log.info("connected to the broker")

    async def _receive(self, delivery: Delivery) -> None:
        """Deal with one message, whatever it is; acknowledge it when its answer is written."""
        try:
            await self._dispatch(delivery)
        except MessageError as error:
            levels = self._topics.parse(delivery.topic) or (delivery.topic,)
            if self._faults.count("/".join(levels[:2]), time.monotonic()):
                log.warning("malformed message", topic=delivery.topic, error=str(error))
        except Exception:
            # The outermost edge of one message's task: the next message must be dealt with.
            log.exception("a message could not be dealt with", topic=delivery.topic)
        delivery.ack()

    async def _dispatch(self, delivery: Delivery) -> None:
        if homeassistant.is_birth(delivery.topic, delivery.payload):
            self._announce_again()
            return
        match self._topics.parse(delivery.topic):
            case ("box", box, "event") if not delivery.retained:
                async with self._locks[box]:
                    await self._answer(box, decode(BoxEvent, delivery.payload))
            case ("box", box, "info"):
                self._infos[box] = decode(BoxInfo, delivery.payload)
                if announced := self._announcement(box):
                    self._link.keep(*announced)
            case _:
                return

    async def _answer(self, box: str, event: BoxEvent) -> None:
        reply = await self._presses.answer(box, event)
        if reply is not None:
            self._send(self._topics.box(box, "reply"), reply)

    def _send(self, topic: str, message: Reply | AppEvent) -> None:
        # Whoever is away now has no use for it later.
        with contextlib.suppress(NotConnectedError):
            self._link.publish(topic, encode(message), expiry_s=_EXPIRY_S)

    def _publish_event(self, event: AppEvent) -> None:
        self._send(self._topics.app(event.app, "event"), event)

    def _keep_state(self, state: AppState) -> None:
        self._states[state.app] = (time.monotonic(), state)
        topic = self._topics.app(state.app, "state")
        try:
            self._link.keep(topic, encode(state))
        except MessageError:
            # Some hundreds of nodes do not fit; how the app stands is told without them.
            self._link.keep(topic, encode(state.model_copy(update={"nodes": ()})))

    def _announce_again(self) -> None:
        for box in self._infos:
            if announced := self._announcement(box):
                # Retained already: what stands is sent once more, to Home Assistant just started.
                with contextlib.suppress(NotConnectedError):
                    self._link.publish(*announced)

    def _announcement(self, box: str) -> tuple[str, bytes] | None:
        """Say how a box of ours is made known to Home Assistant on the same broker."""
        if box not in self._settings.boxes:
            return None
        apps = [self._settings.boxes[box].app]
        return homeassistant.discovery(self._topics, box, apps, self._infos[box])
