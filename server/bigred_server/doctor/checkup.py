"""The check-up: runs every check of a site and collects the findings. It changes nothing."""

import asyncio
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from bigred_server.doctor import (
    api,
    broker,
    builds,
    database,
    deployable,
    haproxy,
    haproxy_checkup,
    haproxy_log,
    jenkins,
    node_checkup,
    repository,
    site,
    vitals,
    war_name,
)
from bigred_server.doctor.finding import Finding
from bigred_server.doctor.site_facts import SiteFacts
from bigred_server.fleet.managers import managers_of
from bigred_server.fleet.opened import look_once
from bigred_server.judge.policy import Mode
from bigred_server.model.disk_space import SPARE_BYTES
from bigred_server.requests.job_preflight import job_preflight
from bigred_server.settings import Settings
from bigred_server.tomcat.probe import client

_TEMPORARY = 16 * 1024 * 1024


async def examine(settings: Settings, known: Mapping[str, SiteFacts]) -> list[Finding]:
    """Check the apps named in `known`, and what all apps share."""
    log_at = settings.server.haproxy_log
    fleets = [settings.fleets[name] for name in known if name in settings.fleets]
    judged = [app for app in fleets if app.judge.mode is not Mode.OFF]
    findings = _server(settings, max((facts.largest for facts in known.values()), default=0))
    findings += api.check(settings.api, datetime.now(UTC))
    findings += await asyncio.to_thread(builds.check, settings)
    async with client() as http:
        for name, facts in known.items():
            if name in settings.fleets:
                findings += await _app(http, name, settings, facts)
    for name in known:
        if name in settings.jobs:
            async with job_preflight(settings, name) as preflight:
                findings += await jenkins.check(preflight)
    if judged:
        findings += haproxy_log.setting("server", log_at)
        backends = [name for app in judged for name in app.haproxy.backends]
        findings += await haproxy_log.arriving(f"HAProxy's log at {log_at}", log_at, backends)
    findings += await broker.check(settings.broker)
    return findings + await database.check(settings.server.database)


def _server(settings: Settings, largest: int) -> list[Finding]:
    state = settings.server.state
    store = settings.server.releases or state / "releases"
    keep = max((app.keep for app in settings.fleets.values()), default=0)
    findings = [
        site.writable("server", state),
        site.writable("server", store),
        site.disk_space("server", store, largest, keep),
        site.spare_space("server", state, SPARE_BYTES, "the journal and builds"),
        site.spare_space("server", Path(tempfile.gettempdir()), _TEMPORARY, "temporary files"),
    ]
    if settings.api.listen:
        findings.append(site.files_for_api("server", settings.api.most_connections))
    return findings


async def _app(
    http: httpx2.AsyncClient, name: str, settings: Settings, known: SiteFacts
) -> list[Finding]:
    app = settings.fleets[name]
    log_at = settings.server.haproxy_log if app.judge.mode is not Mode.OFF else ""
    checked = await asyncio.gather(
        *(haproxy_checkup.check(app, at, log_at) for at in app.haproxy.sockets)
    )
    findings = [finding for one in checked for finding in one.findings]
    for backend in app.haproxy.backends:
        looks = {one.address: one.looks[backend] for one in checked if backend in one.looks}
        findings += haproxy.alike(backend, looks)
    proxies = [one.proxy for one in checked if one.proxy is not None]
    idle_ms = max((one.idle_ms for one in proxies if one.idle_ms is not None), default=None)
    nodes = await asyncio.gather(
        *(
            node_checkup.check(http, app, f"{name}/{node_name}", one, known, idle_ms)
            for node_name, one in app.nodes.items()
        )
    )
    findings += [finding for found in nodes for finding in found]
    look = await look_once(settings, name, [known.live] if known.live else [])
    findings.append(haproxy.sharing(name, look.sharing, look.coverage.unmanaged))
    findings.append(
        deployable.check(name, look, app.policy(), known.largest, is_live=known.live is not None)
    )
    if app.build is not None:
        findings += repository.check(name, app.build)
    context = settings.context_of(name)
    findings += war_name.of_nodes(name, app, context)
    findings += war_name.listed(name, look.nodes, context)
    if app.judge.mode is not Mode.OFF:
        managers = managers_of(http, app, context)
        findings += await vitals.check(name, app.nodes, managers)
    return findings
