"""The check-up of one node: its app, Manager, ssh, folders, disk and Tomcat's configuration."""

import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from bigred_server.artifacts.war import manifest
from bigred_server.doctor import node, site, tomcat, tomcat_context
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.site_facts import SiteFacts
from bigred_server.settings import AppSettings, NodeSettings, ReachBy
from bigred_server.tomcat.question import questions

_DEFAULT_PORTS = {"http": 80, "https": 443}


async def check(
    http: httpx2.AsyncClient,
    app: AppSettings,
    where: str,
    settings: NodeSettings,
    known: SiteFacts,
    idle_ms: float | None,
) -> list[Finding]:
    """Check one node; `idle_ms`: for how long HAProxy keeps idle connections, None if unknown."""
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
