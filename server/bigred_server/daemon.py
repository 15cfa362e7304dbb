"""The deploy server: a journal session, a gateway for the boxes, and one reconciler per app."""

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path

import httpx2
import structlog

from bigred_broker.messages import AppEvent, AppState
from bigred_server.artifacts.retention import Retention
from bigred_server.artifacts.store import Store
from bigred_server.artifacts.tidier import Tidier
from bigred_server.automation import automation_of
from bigred_server.errors import HaproxyAwayError, HaproxyError, NotRunningError
from bigred_server.fleet.real_fleet import Memory, RealFleet
from bigred_server.haproxy.receiver import Receiver
from bigred_server.haproxy.shared_snapshots import SharedSnapshots
from bigred_server.jenkins.reconciler import JobReconciler
from bigred_server.journal import actions, releases, session
from bigred_server.journal.session import Session
from bigred_server.journal.unavailable import JournalUnavailableError
from bigred_server.judge.policy import Mode
from bigred_server.model.release import Release
from bigred_server.mqtt_gateway.gateway import MqttGateway
from bigred_server.notify.notifier import Notifier
from bigred_server.pipeline.isolation import Isolation, isolation_of
from bigred_server.places import journal_place, release_store
from bigred_server.protection import protect
from bigred_server.requests.begin import begin_repair
from bigred_server.requests.doorbell import Doorbell
from bigred_server.requests.job_preflight import JobPreflight, job_preflights
from bigred_server.requests.preflight import FleetPreflight, Preflight
from bigred_server.requests.presses import Presses
from bigred_server.requests.shared_preflight import SharedPreflight
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.loop.adoption import Adoption
from bigred_server.rollout.loop.event_log import EventLog
from bigred_server.rollout.loop.hook_runner import HookRunner
from bigred_server.rollout.loop.journal_view import JournalReader
from bigred_server.rollout.loop.reconciler import Reconciler
from bigred_server.settings import AppSettings, ServerSettings, Settings
from bigred_server.telemetry.app_telemetry import AppTelemetry, telemetry_of
from bigred_server.tomcat.hosts import Hosts as NodeHosts
from bigred_server.tomcat.probe import client

log = structlog.get_logger(__name__)

_STATE_KEEPS_S = 10.0


async def serve(settings: Settings, config: Path | None = None) -> None:
    """Run the server until SIGTERM or SIGINT. `config`: the file with the settings, if any.

    Raise NotRunningError if another server uses the journal or the name, JournalError if the
    journal can't be opened, HaproxyError if an app's HAProxy denies us what we need, and BuildError
    if builds can't be confined as the settings demand.
    """
    isolation = await asyncio.to_thread(isolation_of, settings, config)
    log_isolation(isolation, settings)
    place = journal_place(settings.server)
    async with (
        session.open_session(place, settings.server.name, settings.apps) as opened,
        client() as http,
    ):
        await asyncio.to_thread(_tidy, settings.server)
        server = DeployServer(settings, opened, http, isolation)
        try:
            await server.run()
        finally:
            await server.close()


def log_isolation(isolation: Isolation, settings: Settings) -> None:
    """Log how the builds of each app are confined, and which of them have no network."""
    if not isolation.is_told:
        return
    builds = {name: app.build for name, app in settings.fleets.items() if app.build}
    apps: dict[str, list[str]] = {}
    for name, build in builds.items():
        apps.setdefault(isolation.text(network=build.network), []).append(name)
    for text, names in apps.items():
        level = log.info if isolation.sandbox else log.warning
        level("how builds run", apps=names, how=text)
    offline = [name for name, build in builds.items() if not build.network]
    if isolation.sandbox and offline:
        log.info(
            "builds that download libraries fail without network: set `network = true` in "
            "[apps.NAME.build]",
            apps=offline,
        )


def _tidy(server: ServerSettings) -> None:
    """Close what others could read, and remove what uploads that were killed have left."""
    closed, failures = protect(server)
    if closed:
        log.warning(
            "took away others' access to the server's files",
            count=len(closed),
            first=str(closed[0]),
        )
    for failure in failures:
        log.warning("can't take away others' access", reason=failure)
    try:
        swept = release_store(server).sweep()
    except OSError as error:
        log.warning("can't remove unfinished uploads", reason=str(error))
    else:
        if swept:
            log.info("removed unfinished uploads", count=len(swept))


class DeployServer:
    """All parts of a running server."""

    def __init__(
        self,
        settings: Settings,
        session: Session,
        http: httpx2.AsyncClient,
        isolation: Isolation,
    ) -> None:
        self._settings = settings
        self._session = session
        self._gateway = MqttGateway(settings, session.leads, session.run)
        notices = {name: app.notify for name, app in settings.apps.items()}
        self._notifier = Notifier(notices, session.db, settings.api.url)
        self._states: dict[str, tuple[float, AppState]] = {}
        self._store = store = release_store(settings.server)
        keeps = {name: app.keep for name, app in settings.fleets.items()}
        self._retention = Retention(session.db, store, keeps)
        self._tidier = Tidier(self._retention)
        hosts, snapshots = NodeHosts(), SharedSnapshots()
        self._journals = {name: JournalReader(name, session.db) for name in settings.fleets}
        self._fleets = {
            name: RealFleet(
                settings,
                name,
                store,
                http,
                hosts,
                partial(self._releases, name),
                self._memory(name),
                snapshots,
            )
            for name in settings.fleets
        }
        preflights = {
            name: FleetPreflight(name, app, self._fleets[name])
            for name, app in settings.fleets.items()
        }
        self._jobs = job_preflights(settings)
        log_at = settings.server.haproxy_log
        self._receiver = Receiver(log_at) if log_at else None
        fleets = settings.fleets.items()
        self._telemetry = {name: self._app_telemetry(name, app, http) for name, app in fleets}
        self._reconcilers: dict[str, Reconciler | JobReconciler] = {
            **{name: self._reconciler(name, app, store) for name, app in fleets},
            **{name: self._job_reconciler(preflight) for name, preflight in self._jobs.items()},
        }
        self._automation = automation_of(
            settings,
            session,
            store,
            preflights,
            self._gateway.publish_event,
            self._notifier,
            isolation,
            self._wake,
        )
        alone: dict[str, Preflight] = {**preflights, **self._jobs}
        shared = {name: SharedPreflight(preflight) for name, preflight in alone.items()}
        self._doorbell = Doorbell(session.db, self._wake)
        self._presses = Presses(settings.boxes, session.db, shared, session.run, self._wake)

    def _reconciler(self, name: str, app: AppSettings, store: Store) -> Reconciler:
        db = self._session.db
        return Reconciler(
            app=name,
            db=db,
            journal=self._journals[name],
            fleet=self._fleets[name],
            policy=app.policy(),
            strategy=app.strategy,
            adoption=Adoption(name, db, store, app.marker, self._fleets[name].copy_war),
            events=EventLog(db, self._publish),
            hooks=HookRunner(
                app.hooks.commands(), self._settings.server.state / "hooks", app.hooks.inherit
            ),
            telemetry=self._telemetry[name],
            lead=self._session.leads[name],
            publish=self._keep_state,
            settled=self._tidier.want,
            begin_repair=begin_repair,
        )

    def _job_reconciler(self, preflight: JobPreflight) -> JobReconciler:
        return JobReconciler(
            app=preflight.name,
            db=self._session.db,
            job=preflight.job,
            settings=preflight.settings,
            events=EventLog(self._session.db, self._publish),
            lead=self._session.leads[preflight.name],
            publish=self._keep_state,
        )

    def _app_telemetry(self, name: str, app: AppSettings, http: httpx2.AsyncClient) -> AppTelemetry:
        telemetry = telemetry_of(name, self._settings, self._session.db, http)
        if self._receiver is not None and app.judge.mode is not Mode.OFF:
            for backend in app.haproxy.backends:
                self._receiver.add(backend, telemetry.line)
        return telemetry

    def _memory(self, app: str) -> Memory:
        async def redeploys(node: str, since: float) -> int:
            async with self._session.db.read() as db:
                return await actions.count(db, app, node, ActionKind.DEPLOY, since)

        return Memory(lambda: self._retention.wanted(app), redeploys)

    async def _releases(self, app: str) -> list[Release]:
        return list((await self._journals[app].view()).known.values())

    async def _record_proofs(self) -> None:
        """Record the present markers with the releases from before they were recorded."""
        for name, app in self._settings.fleets.items():
            async with self._session.db.write() as db:
                await releases.prove_by(db, name, app.marker)

    async def close(self) -> None:
        """Close all open connections to nodes and to Jenkins."""
        for fleet in self._fleets.values():
            await fleet.close()
        for preflight in self._jobs.values():
            await preflight.job.close()

    def _keep_state(self, state: AppState) -> None:
        self._states[state.app] = (time.monotonic(), state)
        self._gateway.keep_state(state)

    def _publish(self, event: AppEvent) -> None:
        self._gateway.publish_event(event)
        self._notifier.receive(event)

    def _wake(self, app: str) -> None:
        if app not in self._reconcilers:
            return
        self._reconcilers[app].wake()
        self._automation.wake(app)

    def _state_of(self, app: str) -> AppState | None:
        updated_at_s, state = self._states.get(app, (float("-inf"), None))
        # The server that leads the app updates it twice a second; another server never does.
        return state if time.monotonic() - updated_at_s < _STATE_KEEPS_S else None

    def _api(self) -> list[Coroutine[None, None, None]]:
        """Return what serves the HTTP API, if configured. Raise ApiError if it can't listen."""
        if not self._settings.api.listen:
            return []
        # These imports take half a second: servers without an API and other commands skip them.
        from bigred_server.web import api, serve
        from bigred_server.web.certificate import Certificate

        tls = self._settings.api.tls
        certificate = Certificate(tls) if tls else None
        listening = serve.listening(self._settings.api.listen)
        built = api.build(
            self._settings, self._session.db, self._store, self._wake, self._state_of, self._jobs
        )
        return [serve.serve(built, self._settings.api, listening, certificate)]

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT. Raise NotRunningError if another server took the name."""
        await self._check_fleets()
        try:
            await self._record_proofs()
        except JournalUnavailableError as error:
            # The next start records them; until then the present markers count for them anyway.
            log.warning("the markers can't be recorded", reason=str(error))
        api = self._api()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        with self._receiver.listening() if self._receiver else contextlib.nullcontext():
            await self._work(api, stopped)

    async def _work(self, api: list[Coroutine[None, None, None]], stopped: asyncio.Event) -> None:
        """Run all parts until `stopped`. Raise NotRunningError as `run` does."""
        async with asyncio.TaskGroup() as tasks:
            kept = tasks.create_task(self._keep_session(stopped))
            running = [
                tasks.create_task(self._gateway.run(self._presses)),
                tasks.create_task(self._notifier.run()),
                tasks.create_task(self._doorbell.run()),
                tasks.create_task(self._tidier.run()),
                *(tasks.create_task(each.run()) for each in self._reconcilers.values()),
                *(tasks.create_task(each.run()) for each in self._telemetry.values()),
                *map(tasks.create_task, (*self._automation.tasks(), *api)),
            ]
            # The settings of ten thousand boxes stay: no collection needs to look through them.
            gc.freeze()
            log.info("the server is running", apps=list(self._reconcilers))
            await stopped.wait()
            log.info("the server is stopping")
            for task in (kept, *running):
                task.cancel()
        if not kept.cancelled() and (reason := kept.result()):
            raise reason

    async def _keep_session(self, stopped: asyncio.Event) -> NotRunningError:
        """Keep the session; if it is lost, stop the server cleanly and return the reason."""
        try:
            await self._session.keep()
        except NotRunningError as error:
            stopped.set()
            return error

    async def _check_fleets(self) -> None:
        for name, fleet in self._fleets.items():
            try:
                await fleet.check()
            except HaproxyAwayError as error:
                # It may come up later; until then nothing is armed and no node is touched.
                log.warning("HAProxy does not answer", app=name, reason=str(error))
            except HaproxyError as error:
                raise HaproxyError(f"app {name}: {error}") from error
