"""The state that the gates examine, gathered from the journal and a look at the fleet."""

from dataclasses import dataclass, replace
from typing import Protocol

from bigred_server.journal import deployments, releases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.requests.gates import GateState
from bigred_server.rollout.core import availability
from bigred_server.rollout.core.ports import Fleet, FleetLook
from bigred_server.settings import AppSettings


async def journaled(db: AsyncConnection, app: str) -> GateState:
    """Return what the journal knows of an app and its deployment, without its releases."""
    running = await deployments.running(db, app)
    release = await releases.find(db, app, running.digest) if running else None
    version = release.version if release else ""
    return GateState(
        app=app,
        releases=(),
        running=running.phase if running else None,
        running_version=version,
        running_who=running.who if running else "",
        mends=running.mends if running else None,
    )


class PreflightLook(Protocol):
    """One look at what runs the app."""

    async def state(self, db: AsyncConnection) -> GateState:
        """Return the state of the app, read in a transaction."""


class Preflight(Protocol):
    """What a press needs to know of an app, whether Bigred or Jenkins deploys it."""

    @property
    def nodes(self) -> int:
        """How many nodes the app has, 0 if only Jenkins knows."""

    @property
    def countdown_s(self) -> float:
        """The time from a press to the beginning of its deployment, in seconds."""

    async def look(self) -> PreflightLook:
        """Look; never raise. A look can take a while, so call this before the transaction."""


@dataclass(frozen=True)
class FleetPreflightLook:
    """One look at a fleet."""

    name: str
    app: AppSettings
    fleet: FleetLook

    async def state(self, db: AsyncConnection) -> GateState:
        """Return the state of the app, read in a transaction."""
        looks, policy = self.fleet.nodes, self.app.policy()
        return replace(
            await journaled(db, self.name),
            releases=await releases.since_live(db, self.name),
            healthy=sum(map(availability.counts, looks.values())),
            total=len(self.app.nodes),
            min_healthy=availability.min_healthy(looks, policy),
            problem=self.fleet.problem,
            obstacle=availability.obstacle(looks, self.fleet.sharing, policy),
        )


@dataclass(frozen=True)
class FleetPreflight:
    """Looks at the fleet of one app."""

    name: str
    app: AppSettings
    fleet: Fleet

    @property
    def nodes(self) -> int:
        """How many nodes the app has."""
        return len(self.app.nodes)

    @property
    def countdown_s(self) -> float:
        """The time from a press to the beginning of its deployment, in seconds."""
        return self.app.countdown_s

    async def look(self) -> FleetPreflightLook:
        """Look at the fleet."""
        return FleetPreflightLook(self.name, self.app, await self.fleet.look(deep=False))
