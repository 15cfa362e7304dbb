"""What can be checked in Tomcat's conf/server.xml. Pure: works on its text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.rule import Rule, RuleResult

SERVER_XML = "conf/server.xml"
_DEFAULT_TIMEOUT_MS = 60_000  # Connector's connectionTimeout, and so its keepAliveTimeout
_DEFAULT_MAX_REQUESTS = "100"  # Connector's maxKeepAliveRequests

Element = ElementTree.Element


@dataclass(frozen=True)
class Service:
    """The Service that serves the app: its Connector on the app's port, and its Host."""

    service: Element
    connector: Element
    host: Element


def server(where: str, text: str | None, unread: str, port: int) -> list[Finding]:
    """Check conf/server.xml against every rule; `unread` says why `text` is None.

    `port`: where the node answers requests for the app.
    """
    where = f"{where}, {SERVER_XML}"
    if text is None:
        return [rule.by_hand(where, unread) for rule in RULES]
    try:
        found = _service(ElementTree.fromstring(text), port)  # noqa: S314 - the site's own file
    except ElementTree.ParseError as error:
        text = f"not valid XML: {error}"
        return [Finding("tomcat-xml", Severity.BAD, where, text, "correct the XML")]
    if found is None:
        text = f"no Connector on port {port}"
        fix = "set the node's `url` to the port of its Tomcat's own Connector"
        return [Finding("tomcat-port", Severity.UNKNOWN, where, text, fix)]
    return [rule.finding(where, found) for rule in RULES]


def keep_alive(where: str, text: str | None, port: int, haproxy_ms: float | None) -> list[Finding]:
    """Check that Tomcat keeps an idle connection for longer than HAProxy does."""
    where, code = f"{where}, {SERVER_XML}", "tomcat-keep-alive"
    root = parsed(text)
    found = None if root is None else _service(root, port)
    if found is None or haproxy_ms is None:
        text = "the keep-alive time of Tomcat or HAProxy can't be read"
        fix = (
            "check by hand: keepAliveTimeout must be longer than HAProxy's timeout http-keep-alive"
        )
        return [Finding(code, Severity.UNKNOWN, where, text, fix)]
    keeps = found.connector.get("keepAliveTimeout") or found.connector.get("connectionTimeout")
    if keeps is not None and not re.fullmatch(r"-?\d+", keeps):
        text = f"keepAliveTimeout is {keeps}"
        fix = f"check by hand: it must be longer than {haproxy_ms:g} ms"
        return [Finding(code, Severity.UNKNOWN, where, text, fix)]
    keeps_ms = int(keeps) if keeps is not None else _DEFAULT_TIMEOUT_MS
    if 0 <= keeps_ms <= haproxy_ms:
        text = f"Tomcat closes idle connections after {keeps_ms} ms, but HAProxy keeps them longer"
        fix = f'set: <Connector keepAliveTimeout="{int(haproxy_ms * 4)}">'
        return [Finding(code, Severity.WARN, where, text, fix)]
    text = "Tomcat keeps idle connections for longer than HAProxy does"
    return [Finding(code, Severity.OK, where, text)]


def parsed(text: str | None) -> Element | None:
    """Parse an XML file; return None if it is not valid XML."""
    try:
        return None if text is None else ElementTree.fromstring(text)  # noqa: S314 - as above
    except ElementTree.ParseError:
        return None


def _service(root: Element, port: int) -> Service | None:
    for service, connector in _connectors(root, exactly=str(port)):
        if (host := service.find("./Engine/Host")) is not None:
            return Service(service, connector, host)
    # If ports are given as ${property}, there must be only one such Connector.
    candidates = [pair for pair in _connectors(root) if "${" in pair[1].get("port", "")]
    if len(candidates) == 1 and (host := candidates[0][0].find("./Engine/Host")) is not None:
        return Service(*candidates[0], host)
    return None


def _connectors(root: Element, exactly: str = "") -> Iterator[tuple[Element, Element]]:
    for service in root.iter("Service"):
        for connector in service.iter("Connector"):
            is_http = "AJP" not in connector.get("protocol", "").upper()
            if is_http and exactly in ("", connector.get("port")):
                yield service, connector


def _bind(found: Service) -> RuleResult:
    if found.connector.get("bindOnInit", "true") != "false":
        return (
            Severity.WARN,
            "the port opens seconds before the apps work, so requests hang or are reset",
        )
    return Severity.OK, "the port opens when the apps work"


def _graceful(found: Service) -> RuleResult:
    if found.service.get("gracefulStopAwaitMillis", "0") == "0":
        return Severity.WARN, "stopping Tomcat cuts the requests in flight"
    return Severity.OK, "stopping Tomcat waits for the requests in flight"


def _auto(found: Service) -> RuleResult:
    if found.host.get("autoDeploy", "true") != "false":
        return Severity.WARN, "Tomcat redeploys by itself, at any time, when it sees another WAR"
    return Severity.OK, "Tomcat deploys nothing by itself while it runs"


def _unpack(found: Service) -> RuleResult:
    if found.host.get("unpackWARs", "true") != "false":
        return (
            Severity.WARN,
            "WARs are unpacked, so an old folder can be served under a new WAR's name",
        )
    return Severity.OK, "WARs are served without unpacking them"


def _servlets(found: Service) -> RuleResult:
    if found.host.get("failCtxIfServletStartFails", "false") != "true":
        return (
            Severity.WARN,
            "an app whose servlet fails to start counts as started, and answers 500",
        )
    return Severity.OK, "an app whose servlet fails to start does not start"


def _max_requests(found: Service) -> RuleResult:
    limit = found.connector.get("maxKeepAliveRequests", _DEFAULT_MAX_REQUESTS)
    if limit != "-1":
        return (
            Severity.WARN,
            f"Tomcat closes a connection after {limit} requests, even while HAProxy uses it",
        )
    return Severity.OK, "only a timeout closes a connection"


RULES = (
    Rule("tomcat-bind", '<Connector bindOnInit="false">', _bind),
    Rule("tomcat-graceful-stop", '<Service gracefulStopAwaitMillis="20000">', _graceful),
    Rule("tomcat-auto-deploy", '<Host autoDeploy="false">', _auto),
    Rule("tomcat-unpack", '<Host unpackWARs="false">', _unpack),
    Rule("tomcat-servlets", '<Host failCtxIfServletStartFails="true">', _servlets),
    Rule("tomcat-keep-alive-requests", '<Connector maxKeepAliveRequests="-1">', _max_requests),
)
