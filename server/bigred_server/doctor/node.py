"""A node asked over HTTP: the app on its own port, its clock, and its Manager."""

import asyncio
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.settings import MarkerSettings, MarkerSource, NodeSettings
from bigred_server.tomcat.probe import read_marker

DEADLINE_S = 5.0
_FIRST_LINE = "OK"
_UNAUTHORISED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


@dataclass(frozen=True)
class Said:
    """What an HTTP server answered; `status` 0 when nothing came, and then `text` says why.

    `marker`: the release that the app says it is, None where that can't be seen from here.
    """

    status: int
    text: str
    date_s: float | None = None
    marker: str | None = ""


async def ask_app(
    http: httpx2.AsyncClient, url: str, marker: MarkerSettings, manifest: dict[str, str] | None
) -> Said:
    """Ask the app for its release, as a rollout does; `manifest` is None on another machine."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            reply = await http.get(url + marker.path, timeout=DEADLINE_S)
    except (httpx2.RequestError, TimeoutError) as error:
        return Said(0, f"{type(error).__name__}: {error}".rstrip(": "))
    unseen = manifest is None and marker.read is MarkerSource.MANIFEST
    said = None if unseen else read_marker(marker, reply, manifest or {})
    return Said(reply.status_code, "", _date_s(reply.headers.get("date", "")), said)


def app(where: str, marker: MarkerSettings, said: Said, live: str | None) -> list[Finding]:
    """Judge the app's answer; `live` is the marker of the release that is live, None for none."""
    code = "app-answer"
    if not said.status:
        mend = "start it; if it runs, set the node's `url` to the address of its Connector"
        return [Finding(code, Severity.BAD, where, f"nothing answers: {said.text}", mend)]
    if said.status != marker.status:
        text = f"{marker.path} answers {said.status}, not {marker.status}"
        mend = "set `path` and `status` in the app's table marker to what a healthy app answers"
        return [Finding(code, Severity.BAD, where, text, mend)]
    if said.marker is None:
        text = f"{marker.path} answers {said.status}; the WAR is on another machine"
        mend = f"look by hand for {marker.name} in META-INF/MANIFEST.MF of the WAR"
        return [Finding("app-marker", Severity.UNKNOWN, where, text, mend)]
    if not said.marker:
        source = {
            MarkerSource.HEADER: f"the header {marker.name}",
            MarkerSource.BODY: "the body",
            MarkerSource.MANIFEST: f"{marker.name} in META-INF/MANIFEST.MF of the WAR",
        }[marker.read]
        text = f"{marker.path} answers {said.status}, but no release is in {source}"
        mend = f"have the app tell its {marker.expects} there, or set `read` and `name` otherwise"
        return [Finding("app-marker", Severity.BAD, where, text, mend)]
    if live is not None and said.marker != live:
        text = f"it says release {said.marker!r}; the live one is {live!r}"
        mend = f"if that is another way of writing its {marker.expects}, set `pattern` or `expects`"
        return [Finding("app-marker", Severity.WARN, where, text, mend)]
    return [Finding("app-marker", Severity.OK, where, f"it says release {said.marker!r}")]


async def ask_manager(http: httpx2.AsyncClient, node: NodeSettings) -> tuple[Said, Said]:
    """Ask the Manager who it is, as ourselves and, where that is refused, as nobody."""
    manager = node.manager
    if manager is None:
        return Said(0, "no manager is configured"), Said(0, "")
    try:
        password = manager.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        return Said(0, f"{manager.password_file} can't be read: {error.strerror}"), Said(0, "")
    ours = await _serverinfo(http, node.manager_url, (manager.user, password))
    nobodys = Said(0, "")
    if ours.status == _FORBIDDEN:
        nobodys = await _serverinfo(http, node.manager_url, None)
    return ours, nobodys


def manager(where: str, url: str, ours: Said, nobodys: Said) -> list[Finding]:
    """Judge what the Manager answered to us, and to a request without a user."""
    code, level = "tomcat-manager", Severity.BAD
    if not ours.status:
        text, mend = f"{url}: {ours.text}", "start Tomcat, or set the manager's `url`"
    elif ours.status == _UNAUTHORISED:
        text = "it does not know our user, or the password is wrong (401)"
        mend = "compare conf/tomcat-users.xml with `user` and the password file"
    elif ours.status == _FORBIDDEN and nobodys.status == _UNAUTHORISED:
        text = "our user may not use it (403)"
        mend = 'give the user the role manager-script: roles="manager-script" in tomcat-users.xml'
    elif ours.status == _FORBIDDEN:
        text = "it does not let this machine in (403)"
        mend = "allow our address in the RemoteCIDRValve of manager/META-INF/context.xml"
    elif ours.status == _NOT_FOUND:
        text, mend = f"there is none at {url} (404)", "deploy Tomcat's manager, or mend its `url`"
    elif not ours.text.startswith(_FIRST_LINE):
        text, mend = f"{url} answers {ours.status}: {ours.text[:60]!r}", "is this a Manager?"
    else:
        level, text, mend = Severity.OK, f"it answers: {_version_text(ours.text)}", ""
    findings = [Finding(code, level, where, text, mend)]
    if url.startswith("http://") and not re.match(r"http://(127\.|localhost|\[::1\])", url):
        text = "the Manager's password goes over the network in clear"
        mend = "give its url with https://, or keep it on a network of your own"
        findings.append(Finding("tomcat-manager-clear", Severity.WARN, where, text, mend))
    return findings


def version(serverinfo: str) -> tuple[int, int] | None:
    """Read Tomcat's version from what the Manager says of itself."""
    found = re.search(r"Apache Tomcat/(\d+)\.(\d+)", serverinfo)
    return (int(found[1]), int(found[2])) if found else None


async def _serverinfo(http: httpx2.AsyncClient, url: str, user: tuple[str, str] | None) -> Said:
    try:
        async with asyncio.timeout(DEADLINE_S):
            # Its words are translated otherwise.
            reply = await http.get(
                f"{url}/text/serverinfo",
                auth=user,
                headers={"accept-language": "en"},
                timeout=DEADLINE_S,
            )
    except (httpx2.RequestError, TimeoutError) as error:
        return Said(0, f"{type(error).__name__}: {error}".rstrip(": "))
    return Said(reply.status_code, reply.text[:2000])


def _version_text(serverinfo: str) -> str:
    found = re.search(r"\[(Apache Tomcat/[^\]]+)\]", serverinfo)
    return found[1] if found else "OK"


def _date_s(header: str) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None


def read(path: Path) -> tuple[str | None, str]:
    """Read a file of a node on this machine: its text, or None and why not."""
    try:
        return path.read_text(encoding="utf-8", errors="replace"), ""
    except OSError as error:
        return None, f"{path} can't be read: {error.strerror}"
