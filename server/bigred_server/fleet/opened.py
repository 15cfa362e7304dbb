"""A fleet for a few looks and acts, without a running server."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from bigred_server.fleet.real_fleet import RealFleet
from bigred_server.model.release import Release
from bigred_server.places import release_store
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.settings import Settings
from bigred_server.tomcat.hosts import Hosts
from bigred_server.tomcat.probe import client


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, name: str, known: Sequence[Release] = ()
) -> AsyncIterator[RealFleet]:
    """Open the fleet of an app without a running server; `known`: its releases."""

    async def releases() -> Sequence[Release]:
        return known

    nodes = settings.fleets[name].nodes.values()
    async with client([url for node in nodes for url in (node.url, node.manager_url)]) as http:
        store = release_store(settings.server)
        fleet = RealFleet(settings, name, store, http, Hosts(), releases)
        try:
            yield fleet
        finally:
            await fleet.close()


async def look_once(settings: Settings, name: str, known: Sequence[Release]) -> FleetLook:
    """Look at the nodes of an app without a running server; `known`: its releases."""
    async with opened(settings, name, known) as fleet:
        return await fleet.look(deep=True)
