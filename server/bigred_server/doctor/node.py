"""Check a node over HTTP: the app on its own port, its clock, and its Manager."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.settings import MarkerSettings, MarkerSource, NodeSettings
from bigred_server.tomcat.basic_auth import authorizations
from bigred_server.tomcat.get_client import Page
from bigred_server.tomcat.probe import read_marker
from bigred_server.tomcat.question import Question

DEADLINE_S = 5.0
_FIRST_LINE = "OK"
_UNAUTHORISED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


@dataclass(frozen=True)
class NodeAnswer:
    """What an HTTP server answered; `status` is 0 if there was no answer, and `text` says why.

    `marker`: the release that the app reports, None if it can't be read from here.
    """

    status: int
    text: str
    date_s: float | None = None
    marker: str | None = ""


async def ask_app(
    http: httpx2.AsyncClient,
    url: str,
    asked: Sequence[Question],
    manifest: dict[str, str] | None,
) -> tuple[Question, NodeAnswer]:
    """Ask the app for its release in each way until it proves it; return the way that counts."""
    answers: list[tuple[Question, NodeAnswer]] = []
    for question in asked:
        answer = await _ask(http, url, question.marker, manifest)
        if answer.status in question.marker.statuses and answer.marker in question.proven:
            return question, answer
        answers.append((question, answer))
        if not answer.status:
            break
    return answers[0]


async def _ask(
    http: httpx2.AsyncClient, url: str, marker: MarkerSettings, manifest: dict[str, str] | None
) -> NodeAnswer:
    """Ask the app for its release, as a rollout does.

    `manifest`: the attributes of the WAR's manifest, None if the WAR is on another machine.
    """
    try:
        async with asyncio.timeout(DEADLINE_S):
            reply = await http.get(url + marker.path, timeout=DEADLINE_S)
    except (httpx2.RequestError, TimeoutError) as error:
        return NodeAnswer(0, f"{type(error).__name__}: {error}".rstrip(": "))
    unreadable = manifest is None and marker.read is MarkerSource.MANIFEST
    release = None if unreadable else read_marker(marker, Page.of(reply), manifest or {})
    return NodeAnswer(reply.status_code, "", _date_s(reply.headers.get("date", "")), release)


def app(where: str, question: Question, answer: NodeAnswer) -> list[Finding]:
    """Check the app's answer to a question about the live release, if there is one."""
    code, marker, live = "app-answer", question.marker, next(iter(question.proven), None)
    if not answer.status:
        fix = "start Tomcat; if it is running, set the node's `url` to the address of its Connector"
        return [Finding(code, Severity.BAD, where, f"no answer: {answer.text}", fix)]
    if answer.status not in marker.statuses:
        wanted = " or ".join(map(str, marker.statuses))
        text = f"{marker.path} answers {answer.status}, not {wanted}"
        fix = "repair the app, or set the marker's `path` and `status` to its healthy answer"
        return [Finding(code, Severity.BAD, where, text, fix)]
    code = "app-marker"
    if answer.marker is None:
        text = f"{marker.path} answers {answer.status}, but the release is in a WAR elsewhere"
        fix = f"check by hand: {marker.name} in META-INF/MANIFEST.MF of the WAR"
        return [Finding(code, Severity.UNKNOWN, where, text, fix)]
    if not answer.marker:
        text = f"{marker.path} answers {answer.status}, but no release is in {marker.place}"
        fix = f"make the app report its {marker.expects} there, or change the marker's `read` and "
        fix += "`name`"
        return [Finding(code, Severity.BAD, where, text, fix)]
    if live is not None and answer.marker != live:
        text = f"it reports release {answer.marker!r}, but the live one is {live!r}"
        fix = f"if both are the same {marker.expects}, set the marker's `pattern` or `expects`"
        return [Finding(code, Severity.WARN, where, text, fix)]
    return [Finding(code, Severity.OK, where, f"it reports release {answer.marker!r}")]


async def ask_manager(
    http: httpx2.AsyncClient, node: NodeSettings
) -> tuple[NodeAnswer, NodeAnswer]:
    """Ask the Manager for its version, as our user and, if that is refused, anonymously."""
    manager = node.manager
    if manager is None:
        return NodeAnswer(0, "no manager is configured"), NodeAnswer(0, "")
    try:
        password = manager.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = f"{manager.password_file} can't be read: {error.strerror}"
        return NodeAnswer(0, reason), NodeAnswer(0, "")
    ours = NodeAnswer(0, "")
    for authorization in authorizations(manager.user, password):
        ours = await _serverinfo(http, node.manager_url, authorization)
        if ours.status != _UNAUTHORISED:
            break
    anonymous = NodeAnswer(0, "")
    if ours.status == _FORBIDDEN:
        anonymous = await _serverinfo(http, node.manager_url, "")
    return ours, anonymous


def manager(where: str, url: str, ours: NodeAnswer, anonymous: NodeAnswer) -> list[Finding]:
    """Check what the Manager answered to our user, and to a request without a user."""
    code, level = "tomcat-manager", Severity.BAD
    if not ours.status:
        text, fix = f"{url}: {ours.text}", "start Tomcat, or correct the manager's `url`"
    elif ours.status == _UNAUTHORISED:
        text = "it rejects the configured user or password (401)"
        fix = "compare `user` and the password file with conf/tomcat-users.xml"
    elif ours.status == _FORBIDDEN and anonymous.status == _UNAUTHORISED:
        text = "the configured user has no permission to use it (403)"
        fix = 'give the user the role manager-script: roles="manager-script" in tomcat-users.xml'
    elif ours.status == _FORBIDDEN:
        text = "it refuses requests from this machine (403)"
        fix = "allow this machine's address in the RemoteCIDRValve of manager/META-INF/context.xml"
    elif ours.status == _NOT_FOUND:
        text, fix = f"no Manager at {url} (404)", "deploy Tomcat's Manager, or correct its `url`"
    elif not ours.text.startswith(_FIRST_LINE):
        text = f"{url} answers {ours.status}: {ours.text[:60]!r}"
        fix = "check that the manager's `url` is that of a Tomcat Manager"
    else:
        level, text, fix = Severity.OK, f"it answers: {_version_text(ours.text)}", ""
    findings = [Finding(code, level, where, text, fix)]
    if url.startswith("http://") and not re.match(r"http://(127\.|localhost|\[::1\])", url):
        text = "the Manager's password crosses the network unencrypted"
        fix = "use https:// in its `url`, or keep it on a private network"
        findings.append(Finding("tomcat-manager-clear", Severity.WARN, where, text, fix))
    return findings


def version(serverinfo: str) -> tuple[int, int] | None:
    """Return Tomcat's version from the Manager's server info, None if it isn't there."""
    found = re.search(r"Apache Tomcat/(\d+)\.(\d+)", serverinfo)
    return (int(found[1]), int(found[2])) if found else None


async def _serverinfo(http: httpx2.AsyncClient, url: str, authorization: str) -> NodeAnswer:
    # The Manager translates its answer unless asked for English.
    headers = {"accept-language": "en"}
    if authorization:
        headers["authorization"] = authorization
    try:
        async with asyncio.timeout(DEADLINE_S):
            reply = await http.get(f"{url}/text/serverinfo", headers=headers, timeout=DEADLINE_S)
    except (httpx2.RequestError, TimeoutError) as error:
        return NodeAnswer(0, f"{type(error).__name__}: {error}".rstrip(": "))
    return NodeAnswer(reply.status_code, reply.text[:2000])


def _version_text(serverinfo: str) -> str:
    found = re.search(r"\[(Apache Tomcat/[^\]]+)\]", serverinfo)
    return found[1] if found else "OK"


def _date_s(header: str) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None


def read(path: Path) -> tuple[str | None, str]:
    """Read a file of a node on this machine; return its text, or None and the reason."""
    try:
        return path.read_text(encoding="utf-8", errors="replace"), ""
    except OSError as error:
        return None, f"{path} can't be read: {error.strerror}"
