"""Send notices with apprise, in a separate task, so that no deployment waits for them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.messages import AppEvent, AppEventType
from bigred_server.journal import api_tokens, deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model import receipt_link
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
    """Sends the notices of all apps. Run `run()` as a task; the `receive` methods never block.

    `settings`: by app and name. `url`: the public address of the HTTP API, "" if it has none.
    """

    settings: Mapping[str, Mapping[str, NotifySettings]]
    db: Database
    url: str = ""
    _queue: asyncio.Queue[AppEvent | Build] = field(default_factory=lambda: asyncio.Queue(_WAITING))

    def receive(self, event: AppEvent) -> None:
        """Queue an event if it is of a type that people can be notified of."""
        if event.event_type in (AppEventType.CANDIDATE, AppEventType.PHASE):
            self._put(event, event.app)

    def receive_build(self, build: Build) -> None:
        """Queue a build if it has failed."""
        if build.stage is Stage.FAILED:
            self._put(build, build.app)

    def _put(self, event: AppEvent | Build, app: str) -> None:
        if not self.settings.get(app):
            return
        if self._queue.full():
            log.warning("can't send a notice: too many are queued", app=app)
            return
        self._queue.put_nowait(event)

    async def run(self) -> None:
        """Send notices until cancelled."""
        while True:
            event = await self._queue.get()
            try:
                found = await self._notice(event)
            except SQLAlchemyError as error:
                log.warning("can't send a notice", app=event.app, reason=str(error))
                continue
            if found is not None:
                await asyncio.gather(
                    *(
                        self._send(event.app, name, settings, found)
                        for name, settings in self.settings[event.app].items()
                        if found.when in settings.events
                    )
                )

    async def _notice(self, event: AppEvent | Build) -> Notice | None:
        if isinstance(event, Build):
            return notice.of_build(event)
        async with self.db.read() as db:
            known = {one.digest: one for one in await releases.of_app(db, event.app)}
            record = await deployments.find(db, event.deployment or "")
            secret = await api_tokens.link_secret(db)
        if event.event_type is AppEventType.CANDIDATE:
            waiting = candidate(list(known.values()))
            return notice.of_candidate(waiting, live_of(known.values())) if waiting else None
        if record is None or record.mends is not None or event.phase is None:
            return None
        before = known.get(record.previous or "")
        when = notice.when(record, event.phase)
        if when is None:
            return None
        page = receipt_link.link(self.url, secret, record.id)
        link = page if self.url else f"bigred show {record.id}"
        return notice.of_deployment(when, record, known[record.digest], before, link)

    async def _send(self, app: str, name: str, settings: NotifySettings, given: Notice) -> None:
        try:
            async with asyncio.timeout(_LIMIT_S):
                sent = await asyncio.to_thread(_notify, settings, given)
        except Exception as error:
            # apprise has a hundred plugins; none of them may end the server.
            reason = f"{type(error).__name__} {error}".strip()
            log.warning("can't send a notice", app=app, to=name, reason=reason)
            return
        if not sent:
            log.warning(
                "can't send a notice", app=app, to=name, reason="apprise reported a failure"
            )


def _notify(settings: NotifySettings, given: Notice) -> bool:
    # Importing apprise takes half a second, so do it only if notices are sent.
    import apprise

    sender = apprise.Apprise()
    urls = list(settings.urls)
    if settings.urls_file is not None:
        lines = settings.urls_file.read_text(encoding="utf-8").splitlines()
        urls += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for url in urls:
        if not sender.add(url):
            log.warning("apprise does not support an address", scheme=url.partition(":")[0])
    # Without a format, apprise sends the text to mail as HTML: one line, with tags obeyed.
    return bool(
        sender.notify(
            title=given.title,
            body=given.body,
            notify_type=apprise.NotifyType(given.kind),
            body_format=apprise.NotifyFormat.TEXT,
        )
    )
