"""Sends notices by apprise: in its own time, so that no deployment waits for anybody's server."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.messages import AppEvent, AppEventType
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model.build import Build
from bigred_server.model.release import Stage, candidate, live_of
from bigred_server.notify import notice
from bigred_server.notify.notice import Notice
from bigred_server.settings.notify import NotifySettings

log = structlog.get_logger(__name__)

_LIMIT_S = 30.0
_WAITING = 100


@dataclass
class Notifier:
    """The notices of all apps. `run` it as a task; `hear` and `hear_build` never block.

    `settings`: by app and name. `url`: where the HTTP API is reached from outside, "" for nowhere.
    """

    settings: Mapping[str, Mapping[str, NotifySettings]]
    db: Database
    url: str = ""
    _queue: asyncio.Queue[AppEvent | Build] = field(default_factory=lambda: asyncio.Queue(_WAITING))

    def hear(self, event: AppEvent) -> None:
        """Take in an event; most are no news to anybody far away."""
        if event.event_type in (AppEventType.CANDIDATE, AppEventType.PHASE):
            self._put(event, event.app)

    def hear_build(self, build: Build) -> None:
        """Take in where a build stands."""
        if build.stage is Stage.FAILED:
            self._put(build, build.app)

    def _put(self, news: AppEvent | Build, app: str) -> None:
        if not self.settings.get(app):
            return
        if self._queue.full():
            log.warning("a notice is not sent: too many wait", app=app)
            return
        self._queue.put_nowait(news)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            news = await self._queue.get()
            try:
                found = await self._notice(news)
            except SQLAlchemyError as error:
                log.warning("a notice is not sent", app=news.app, reason=str(error))
                continue
            if found is not None:
                await asyncio.gather(
                    *(
                        self._send(news.app, name, settings, found)
                        for name, settings in self.settings[news.app].items()
                        if found.when in settings.events
                    )
                )

    async def _notice(self, news: AppEvent | Build) -> Notice | None:
        if isinstance(news, Build):
            return notice.of_build(news)
        async with self.db.read() as db:
            known = {one.digest: one for one in await releases.of_app(db, news.app)}
            record = await deployments.find(db, news.deployment or "")
        if news.event_type is AppEventType.CANDIDATE:
            waiting = candidate(list(known.values()))
            return notice.of_candidate(waiting, live_of(known.values())) if waiting else None
        if record is None or record.mends is not None or news.phase is None:
            return None
        before = known.get(record.previous or "")
        when = notice.when(record, news.phase)
        if when is None:
            return None
        return notice.of_deployment(
            when, record, known[record.digest], before, self._link(record.id)
        )

    def _link(self, deployment: str) -> str:
        if not self.url:
            return f"bigred show {deployment}"
        return f"{self.url.rstrip('/')}/api/v1/deployments/{deployment}"

    async def _send(self, app: str, name: str, settings: NotifySettings, told: Notice) -> None:
        try:
            async with asyncio.timeout(_LIMIT_S):
                sent = await asyncio.to_thread(_notify, settings, told)
        except Exception as error:
            # A hundred plugins of others: none of them may end the server.
            told_so = f"{type(error).__name__} {error}".strip()
            log.warning("a notice is not sent", app=app, to=name, reason=told_so)
            return
        if not sent:
            log.warning("a notice is not sent", app=app, to=name, reason="apprise could not")


def _notify(settings: NotifySettings, told: Notice) -> bool:
    # Half a second of imports, which those who tell nobody are spared.
    import apprise

    sender = apprise.Apprise()
    urls = list(settings.urls)
    if settings.urls_file is not None:
        lines = settings.urls_file.read_text(encoding="utf-8").splitlines()
        urls += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for url in urls:
        if not sender.add(url):
            log.warning("apprise knows no such address", scheme=url.partition(":")[0])
    return bool(sender.notify(title=told.title, body=told.body, notify_type=told.kind))
