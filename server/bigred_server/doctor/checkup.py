"""The check-up: runs every check of a site and collects the findings. It changes nothing."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from bigred_server.artifacts.war import manifest
from bigred_server.doctor import (
    database,
    deployable,
    haproxy,
    haproxy_file,
    haproxy_log,
    jenkins,
    listeners,
    node,
    repository,
    site,
    tomcat,
    tomcat_context,
    vitals,
    war_name,
)
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.errors import HaproxyError
from bigred_server.fleet import look_once, managers_of
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.haproxy.membership import member_names
from bigred_server.haproxy.survey import is_local, survey
from bigred_server.judge.policy import Mode
from bigred_server.model.release import Release
from bigred_server.requests.job_preflight import job_preflight
from bigred_server.settings import AppSettings, NodeSettings, ReachBy, Settings
from bigred_server.tomcat.probe import client
from bigred_server.tomcat.question import questions

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class SiteFacts:
    """What the journal knows about an app: its live release, the bytes of its largest one."""

    live: Release | None = None
    largest: int = 0


async def examine(settings: Settings, known: Mapping[str, SiteFacts]) -> list[Finding]:
    """Check the apps named in `known`, and what all apps share."""
    log_at = settings.server.haproxy_log
    fleets = [settings.fleets[name] for name in known if name in settings.fleets]
    judged = [app for app in fleets if app.judge.mode is not Mode.OFF]
    findings = _server(settings, max((facts.largest for facts in known.values()), default=0))
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
    return findings + await database.check(settings.server.database)


def _server(settings: Settings, largest: int) -> list[Finding]:
    state = settings.server.state
    store = settings.server.releases or state / "releases"
    keep = max((app.keep for app in settings.fleets.values()), default=0)
    return [
        site.writable("server", state),
        site.writable("server", store),
        site.disk_space("server", store, largest, keep),
    ]


async def _app(
    http: httpx2.AsyncClient, name: str, settings: Settings, known: SiteFacts
) -> list[Finding]:
    app = settings.fleets[name]
    log_at = settings.server.haproxy_log if app.judge.mode is not Mode.OFF else ""
    balancers = await asyncio.gather(*(_balancer(app, at, log_at) for at in app.haproxy.sockets))
    findings = [finding for found, _, _ in balancers for finding in found]
    looks = {at: look for at, (_, look, _) in zip(app.haproxy.sockets, balancers, strict=True)}
    findings += haproxy.alike({at: look for at, look in looks.items() if look is not None})
    proxies = [proxy for _, _, proxy in balancers if proxy is not None]
    idle_ms = max((one.idle_ms for one in proxies if one.idle_ms is not None), default=None)
    nodes = await asyncio.gather(
        *(
            _node(http, app, f"{name}/{node_name}", one, known, idle_ms)
            for node_name, one in app.nodes.items()
        )
    )
    findings += [finding for found in nodes for finding in found]
    look = await look_once(settings, name, [known.live] if known.live else [])
    findings.append(
        deployable.check(name, look, app.policy(), known.largest, is_live=known.live is not None)
    )
    if app.build is not None:
        findings += repository.check(name, app.build)
    context = settings.context_of(name)
    findings += war_name.of_nodes(name, app, context)
    if app.judge.mode is not Mode.OFF:
        managers = managers_of(http, app, context)
        findings += await vitals.check(name, app.nodes, managers)
    return findings


async def _balancer(
    app: AppSettings, address: str, log_at: str
) -> tuple[list[Finding], BackendLook | None, Proxy | None]:
    """Check one HAProxy; also return the first backend's look and configuration."""
    where = f"HAProxy at {address}"
    try:
        seen = await survey(address)
        looks = {name: await Backend(address, name).look() for name in app.haproxy.backends}
    except HaproxyError as error:
        fix = "fix this first: while a HAProxy can't be read, no node is touched"
        return [Finding("haproxy", Severity.BAD, where, str(error), fix)], None, None
    first = looks[app.haproxy.backends[0]]
    configured = [app.server_of(name) for name in app.nodes]
    findings = haproxy.process(seen)
    findings += haproxy.missing(f"{where}, backend {app.haproxy.backends[0]}", first, configured)
    proxies = {name: seen.proxy(name) for name in looks}
    for name, look in looks.items():
        backend = f"{where}, backend {name}"
        known_as = member_names(first, look)
        names = [name for server in configured for name in known_as.get(server, ())]
        findings += haproxy.servers(backend, look, names)
        proxy, unread = proxies[name], seen.unread or f"its configuration has no backend {name!r}"
        findings += haproxy_file.findings(
            backend,
            proxy,
            unread,
            app.sessions,
            shared=app.sessions_shared,
            context=app.context,
            mode=seen.modes.get(name, ""),
        )
        findings += haproxy_log.in_file(backend, proxy, log_at)
    findings += haproxy.sharing(where, looks, app.haproxy.unmanaged)
    if is_local(address):
        binds = [bind for proxy in proxies.values() if proxy for bind in proxy.binds]
        findings += listeners.check(where, binds)
    return findings, first, proxies[app.haproxy.backends[0]]


async def _node(
    http: httpx2.AsyncClient,
    app: AppSettings,
    where: str,
    settings: NodeSettings,
    known: SiteFacts,
    idle_ms: float | None,
) -> list[Finding]:
    local = settings.reach is ReachBy.LOCAL and settings.war is not None
    attributes = manifest(settings.war) if local and settings.war else None
    before_s = time.time()
    live = [known.live] if known.live else []
    asked = questions(app.marker, live, known.live.digest if known.live else "")
    question, answer = await node.ask_app(http, settings.url, asked, attributes)
    findings = node.app(where, question, answer)
    if answer.status:
        findings.append(site.clock(where, answer.date_s, before_s, time.time()))
    version = None
    if settings.manager is not None:
        ours, anonymous = await node.ask_manager(http, settings)
        version = node.version(ours.text)
        findings += node.manager(f"{where}, Manager", settings.manager_url, ours, anonymous)
        findings.append(site.secret(where, settings.manager.password_file))
    if settings.ssh is not None:
        findings.append(site.known_host(where, settings.ssh))
        if settings.ssh.key is not None:
            findings.append(site.secret(where, settings.ssh.key))
    if local:
        findings += _host(where, settings, known.largest, app.keep)
    elif settings.kept_folder is not None:
        text = "its disk is on another machine"
        fix = f"check by hand there: df -h {settings.kept_folder}"
        findings.append(Finding("disk", Severity.UNKNOWN, where, text, fix))
    findings += _tomcat(where, settings, idle_ms)
    texts = _texts(settings) if local else []
    findings += tomcat_context.context(
        where, texts, version, nodes=len(app.nodes), shared=app.sessions_shared
    )
    return findings


def _host(where: str, settings: NodeSettings, largest: int, keep: int) -> list[Finding]:
    kept, war = settings.kept_folder, settings.war
    findings = site.commands(where, settings)
    if war is not None and kept is not None:
        findings.append(site.webapps(where, war))
        findings.append(site.writable(where, kept))
        size = largest or (war.stat().st_size if war.exists() else 0)
        findings.append(site.disk_space(where, kept, size, keep))
    return findings


def _tomcat(where: str, settings: NodeSettings, idle_ms: float | None) -> list[Finding]:
    url = urlsplit(settings.url)
    port = url.port or _DEFAULT_PORTS[url.scheme]
    text, unread = None, "it is on another machine"
    if settings.reach is ReachBy.LOCAL and settings.war is not None:
        text, unread = node.read(_base(settings.war) / tomcat.SERVER_XML)
    return [
        *tomcat.server(where, text, unread, port),
        *tomcat.keep_alive(where, text, port, idle_ms),
    ]


def _texts(settings: NodeSettings) -> list[str]:
    if settings.war is None:
        return []
    names: Sequence[str] = (tomcat.SERVER_XML, tomcat_context.CONTEXT_XML)
    texts = [node.read(_base(settings.war) / name)[0] for name in names]
    return [text for text in texts if text is not None]


def _base(war: Path) -> Path:
    # CATALINA_BASE: the WAR is in its webapps.
    return war.parent.parent
