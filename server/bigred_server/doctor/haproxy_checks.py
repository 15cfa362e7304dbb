"""The rules for a backend on how HAProxy checks its servers. Pure."""

from bigred_server.doctor.finding import Severity
from bigred_server.doctor.rule import Rule, RuleResult
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.settings.checked_path import is_tomcats_own

_BY_HAND = "check by hand that it succeeds only if the app answers"
_ORDER = (Severity.BAD, Severity.WARN, Severity.UNKNOWN, Severity.OK)
_CONNECTS = "health checks only connect, but Tomcat accepts that seconds before its apps work"
_SHAKES_HANDS = (
    "health checks only shake hands for TLS, but Tomcat does that seconds before its apps work"
)


def check_rule(context: str | None) -> Rule[Proxy]:
    """Return the rule for the checks of an app; `context`: "" for the root, None if unknown."""
    line = f"`option httpchk GET {'/APP' if context is None else context}/PATH` in the backend"

    def check(proxy: Proxy) -> RuleResult:
        found = {one.name: _check(one, context) for one in proxy.checkers or (proxy,)}
        name = min(found, key=lambda name: _ORDER.index(found[name][0]))
        level, text, *own = found[name]
        if name == proxy.name or level is Severity.OK:
            return found[name]
        # Its servers follow those of another backend, which has the checks.
        return level, f"{text} (backend {name})", "".join(own) or f"set: {line} {name}"

    return Rule("haproxy-httpchk", line, check)


def _check(proxy: Proxy, context: str | None) -> RuleResult:
    kind, _ = proxy.check
    if kind in ("", "ssl-hello-chk"):
        return Severity.BAD, _SHAKES_HANDS if kind or _is_tls(proxy) else _CONNECTS
    if kind == "external-check":
        return Severity.UNKNOWN, "a command decides whether a node is healthy", _BY_HAND
    if kind == "tcp-check":
        if not proxy.all("tcp-check", "expect"):
            return Severity.BAD, _CONNECTS
        if not proxy.check_uri:
            return Severity.UNKNOWN, "health checks expect an answer to what they send", _BY_HAND
    elif kind != "httpchk":
        return Severity.BAD, f"health checks speak another protocol than Tomcat: `option {kind}`"
    return _path(proxy.check_path, context)


def _path(path: str, context: str | None) -> RuleResult:
    if is_tomcats_own(path):
        return Severity.WARN, f"health checks request {path}, which is Tomcat's own and not the app"
    if path in ("", "/") and context != "":
        return Severity.WARN, f"health checks request {path or '/'}, which may not be the app"
    return Severity.OK, f"health checks request {path or '/'}"


def _is_tls(proxy: Proxy) -> bool:
    return any("ssl" in one or "check-ssl" in one for one in proxy.servers)


def _marked_down(proxy: Proxy) -> RuleResult:
    if any("on-marked-down" in one for one in proxy.servers):
        return (
            Severity.BAD,
            "`on-marked-down shutdown-sessions` cuts the requests in flight when a node goes down",
        )
    return Severity.OK, "a node that goes down finishes its requests"


def _agent(proxy: Proxy) -> RuleResult:
    if any("agent-check" in one for one in proxy.servers):
        return (
            Severity.BAD,
            "an `agent-check` that reports ready ends Bigred's MAINT in the middle of a deployment",
        )
    return Severity.OK, "no agent-check changes server states"


def _state_file(proxy: Proxy) -> RuleResult:
    given = {line[0]: line[1:] for line in proxy.world if line[0].startswith("server-state-")}
    loads = (proxy.last("load-server-state-from-file") or ("none",))[0]
    # With `local` each backend has its own file, named after it unless it says otherwise.
    kept = "server-state-file" in given if loads == "global" else loads == "local"
    if not kept:
        return (
            Severity.WARN,
            "a reload of HAProxy forgets which node is out of service, and sends it users",
        )
    return Severity.OK, "a reload keeps server states, if they are saved to the file before it"


STATES = (
    Rule(
        "haproxy-state-file",
        "`server-state-file FILE` in global, `load-server-state-from-file global` in the backend, "
        "and save `show servers state` to FILE before each reload",
        _state_file,
    ),
    Rule(
        "haproxy-marked-down",
        "no `on-marked-down shutdown-sessions`",
        _marked_down,
        "remove `on-marked-down shutdown-sessions` from the server lines",
    ),
    Rule("haproxy-agent", "no `agent-check`", _agent, "remove `agent-check` from the server lines"),
)
