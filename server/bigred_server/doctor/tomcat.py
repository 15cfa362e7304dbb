"""What a Tomcat's configuration tells, judged: pure, from the text of its files."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from bigred_server.doctor.finding import Finding, Severity

SERVER_XML = "conf/server.xml"
_DEFAULT_TIMEOUT_MS = 60_000  # Connector's connectionTimeout, and so its keepAliveTimeout

Element = ElementTree.Element
Verdict = tuple[Severity, str]


@dataclass(frozen=True)
class Service:
    """The Service that serves the app: its Connector on the app's port, and its Host."""

    service: Element
    connector: Element
    host: Element


@dataclass(frozen=True)
class Rule:
    """One attribute that should stand in server.xml: `line` as it should be written."""

    code: str
    line: str
    judge: Callable[[Service], Verdict]


def server(where: str, text: str | None, unread: str, port: int) -> list[Finding]:
    """Judge conf/server.xml, or say what to look at; `port` is the one that the app is asked on."""
    where = f"{where}, {SERVER_XML}"
    if text is None:
        return [
            Finding(rule.code, Severity.UNKNOWN, where, unread, f"look by hand for: {rule.line}")
            for rule in RULES
        ]
    try:
        found = _service(ElementTree.fromstring(text), port)  # noqa: S314 - the site's own file
    except ElementTree.ParseError as error:
        return [Finding("tomcat-xml", Severity.BAD, where, f"no XML: {error}", "mend it")]
    if found is None:
        text = f"no Connector on port {port}"
        mend = "set the node's `url` to the port of its Tomcat's own Connector"
        return [Finding("tomcat-port", Severity.UNKNOWN, where, text, mend)]
    return [_finding(rule, where, rule.judge(found)) for rule in RULES]


def keep_alive(where: str, text: str | None, port: int, haproxy_ms: float | None) -> list[Finding]:
    """Judge whether Tomcat keeps an idle connection for longer than HAProxy does."""
    where, code = f"{where}, {SERVER_XML}", "tomcat-keep-alive"
    root = parsed(text)
    found = None if root is None else _service(root, port)
    if found is None or haproxy_ms is None:
        mend = (
            "look by hand: keepAliveTimeout must be longer than HAProxy's timeout http-keep-alive"
        )
        return [Finding(code, Severity.UNKNOWN, where, "one of the two times can't be read", mend)]
    ours = found.connector.get("keepAliveTimeout") or found.connector.get("connectionTimeout")
    if ours is not None and not re.fullmatch(r"-?\d+", ours):
        text = f"keepAliveTimeout is {ours}"
        mend = f"look by hand whether it is longer than {haproxy_ms:g} ms"
        return [Finding(code, Severity.UNKNOWN, where, text, mend)]
    ours_ms = int(ours) if ours is not None else _DEFAULT_TIMEOUT_MS
    if 0 <= ours_ms <= haproxy_ms:
        text = f"Tomcat closes idle connections after {ours_ms} ms, HAProxy uses them for longer"
        mend = f'write: <Connector keepAliveTimeout="{int(haproxy_ms * 4)}">'
        return [Finding(code, Severity.WARN, where, text, mend)]
    return [Finding(code, Severity.OK, where, "idle connections outlast HAProxy's patience")]


def _finding(rule: Rule, where: str, verdict: Verdict) -> Finding:
    level, text = verdict
    return Finding(
        rule.code, level, where, text, "" if level is Severity.OK else f"write: {rule.line}"
    )


def parsed(text: str | None) -> Element | None:
    """Read an XML file; None where it is none."""
    try:
        return None if text is None else ElementTree.fromstring(text)  # noqa: S314 - as above
    except ElementTree.ParseError:
        return None


def _service(root: Element, port: int) -> Service | None:
    for service, connector in _connectors(root, exactly=str(port)):
        if (host := service.find("./Engine/Host")) is not None:
            return Service(service, connector, host)
    # A port given as ${property}: then it must be the only one.
    several = [pair for pair in _connectors(root) if "${" in pair[1].get("port", "")]
    if len(several) == 1 and (host := several[0][0].find("./Engine/Host")) is not None:
        return Service(*several[0], host)
    return None


def _connectors(root: Element, exactly: str = "") -> Iterator[tuple[Element, Element]]:
    for service in root.iter("Service"):
        for connector in service.iter("Connector"):
            speaks_http = "AJP" not in connector.get("protocol", "").upper()
            if speaks_http and exactly in ("", connector.get("port")):
                yield service, connector


def _bind(found: Service) -> Verdict:
    if found.connector.get("bindOnInit", "true") != "false":
        return (
            Severity.WARN,
            "the port opens seconds before the apps work: requests hang or are reset",
        )
    return Severity.OK, "the port opens when the apps work"


def _graceful(found: Service) -> Verdict:
    if found.service.get("gracefulStopAwaitMillis", "0") == "0":
        return Severity.WARN, "a stop cuts the requests in flight"
    return Severity.OK, "a stop waits for the requests in flight"


def _auto(found: Service) -> Verdict:
    if found.host.get("autoDeploy", "true") != "false":
        return (
            Severity.WARN,
            "Tomcat redeploys by itself when it sees another WAR, at its own moment",
        )
    return Severity.OK, "Tomcat deploys nothing by itself while it runs"


def _unpack(found: Service) -> Verdict:
    if found.host.get("unpackWARs", "true") != "false":
        return (
            Severity.WARN,
            "WARs are unpacked: an old folder can be served under a new WAR's name",
        )
    return Severity.OK, "WARs are served as they are"


def _servlets(found: Service) -> Verdict:
    if found.host.get("failCtxIfServletStartFails", "false") != "true":
        return (
            Severity.WARN,
            "an app whose servlet fails at the start counts as started, and answers 500",
        )
    return Severity.OK, "an app whose servlet fails at the start does not start"


def _max_requests(found: Service) -> Verdict:
    if found.connector.get("maxKeepAliveRequests", "100") != "-1":
        return (
            Severity.WARN,
            "Tomcat closes a connection after so many requests, while HAProxy uses it",
        )
    return Severity.OK, "connections end by time alone"


RULES = (
    Rule("tomcat-bind", '<Connector bindOnInit="false">', _bind),
    Rule("tomcat-graceful-stop", '<Service gracefulStopAwaitMillis="20000">', _graceful),
    Rule("tomcat-auto-deploy", '<Host autoDeploy="false">', _auto),
    Rule("tomcat-unpack", '<Host unpackWARs="false">', _unpack),
    Rule("tomcat-servlets", '<Host failCtxIfServletStartFails="true">', _servlets),
    Rule("tomcat-keep-alive-requests", '<Connector maxKeepAliveRequests="-1">', _max_requests),
)
