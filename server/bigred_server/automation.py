"""Automatic builds and deployments: from commit to ready release, from ready to live."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from bigred_broker.messages import MOST_TEXT, AppEvent, AppEventType
from bigred_server.artifacts.store import Store
from bigred_server.journal.session import Session
from bigred_server.model.build import Build, build_text
from bigred_server.model.release import Stage
from bigred_server.model.timestamp import utc
from bigred_server.notify.notifier import Notifier
from bigred_server.pipeline.builder import Builder
from bigred_server.pipeline.hiding import workspaces
from bigred_server.pipeline.isolation import Isolation
from bigred_server.places import builds_folder
from bigred_server.requests.continuous import Continuous
from bigred_server.requests.preflight import FleetPreflight
from bigred_server.settings import Settings
from bigred_server.settings.build import Deploy


@dataclass(frozen=True)
class Automation:
    """`builders`: by app, for apps with a build; `continuous`: for apps that need no press."""

    builders: Mapping[str, Builder]
    continuous: Mapping[str, Continuous]

    def tasks(self) -> list[Coroutine[None, None, None]]:
        """Return the coroutines to run until the server stops."""
        building = [each.run() for each in self.builders.values()]
        return [*building, *(each.run() for each in self.continuous.values())]

    def wake(self, app: str) -> None:
        """Check at once for builds of an app that wait, and for a release to be deployed."""
        for loops in (self.builders, self.continuous):
            if app in loops:
                loops[app].wake()


def automation_of(
    settings: Settings,
    session: Session,
    store: Store,
    preflights: Mapping[str, FleetPreflight],
    publish: Callable[[AppEvent], None],
    notifier: Notifier,
    isolation: Isolation,
    started: Callable[[str], None],
) -> Automation:
    """Create the builders and loops of a server; `publish` sends events and must not block.

    `started` is called with an app when a deployment of it began.
    """
    slots = asyncio.Semaphore(settings.server.builds)
    apps = settings.fleets.items()

    def report(build: Build) -> None:
        publish(event_of(build, time.time()))
        notifier.receive_build(build)
        if build.stage is Stage.READY and build.app in continuous:
            continuous[build.app].wake()

    builders = {
        name: Builder(
            app=name,
            settings=app,
            build_settings=app.build,
            context=settings.context_of(name),
            db=session.db,
            store=store,
            lead=session.leads[name],
            folder=builds_folder(settings.server.state, name),
            slots=slots,
            report=report,
            work=workspaces(settings.server) / name,
            isolation=isolation,
        )
        for name, app in apps
        if app.build is not None
    }
    continuous = {
        name: Continuous(name, session.db, store, preflights[name], session.leads[name], started)
        for name, app in apps
        if app.deploy is Deploy.WHEN_READY
    }
    return Automation(builders, continuous)


def event_of(build: Build, now: float) -> AppEvent:
    """Return the event that reports a build's stage; `now` is Unix time."""
    return AppEvent(
        event_type=AppEventType.BUILD,
        app=build.app,
        at=utc(now),
        text=build_text(build)[:MOST_TEXT],
    )
