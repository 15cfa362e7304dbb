"""The rules for a backend in HAProxy's configuration file. Pure."""

from bigred_server.doctor.finding import Severity
from bigred_server.doctor.haproxy_checks import STATES, check_rule
from bigred_server.doctor.haproxy_persistence import COOKIE_VALUES, MOVED, PERSIST, STAY
from bigred_server.doctor.haproxy_retries import HTTP_RETRIES, REDISPATCH
from bigred_server.doctor.rule import Rule, RuleResult
from bigred_server.haproxy.config_proxy import Proxy, duration_ms
from bigred_server.rollout.core.policy import Sessions

HTTP = "http"
# HAProxy's own is 5 s; a stopping Tomcat waits as long.
_LONGEST_IDLE_MS = 1000.0
_CLOSE = ("httpclose", "http-server-close")


def rules(mode: str, sessions: Sessions, *, shared: bool, context: str | None) -> list[Rule[Proxy]]:
    """Return the rules for a backend in this mode, "" if unknown; HTTP rules are for HTTP only.

    `sessions` and `shared`: the app's `sessions` and `sessions_shared`. `context`: its context
    path, None if unknown.
    """
    found = [MODE, check_rule(context), REDISPATCH, PERSIST, *STATES]
    if mode not in ("", HTTP):
        return found
    sticky = [] if shared else [MOVED if sessions is Sessions.MOVE else STAY]
    return [*found, *HTTP_RETRIES, *_CONNECTIONS, COOKIE_VALUES, *sticky]


def _mode(proxy: Proxy) -> RuleResult:
    if proxy.mode == HTTP:
        return Severity.OK, "HAProxy passes on requests, not connections"
    return (
        Severity.BAD,
        "HAProxy carries connections here, not requests: users stay on their node until they hang "
        "up, and are cut off when it stops",
    )


def _pool_purge(proxy: Proxy) -> RuleResult:
    if _closes(proxy):
        return Severity.OK, "no connection to a node stays open between two requests"
    times = [
        duration_ms(one.value("pool-purge-delay") or "5s")
        for one in proxy.servers
        if one.value("pool-max-conn") != "0"
    ]
    longest_ms = max((ms for ms in times if ms is not None), default=0.0)
    if longest_ms > _LONGEST_IDLE_MS:
        return (
            Severity.WARN,
            f"idle connections stay open for {longest_ms / 1000:g} s, and a stopping Tomcat waits "
            "for each of them",
        )
    return Severity.OK, "idle connections to a node are soon closed"


def _closes(proxy: Proxy) -> bool:
    by_backend = any(proxy.option(name) is not None for name in _CLOSE)
    by_fronts = all(any(one.option(name) is not None for name in _CLOSE) for one in proxy.fronts)
    return by_backend or (bool(proxy.fronts) and by_fronts)


def _idle_close(proxy: Proxy) -> RuleResult:
    if not proxy.fronts:
        text = "no frontend in HAProxy's configuration leads to this backend"
        return Severity.UNKNOWN, text, f"check by hand: {_IDLE_CLOSE} that leads here"
    lacking = [
        one.name
        for one in proxy.fronts
        if one.option("idle-close-on-response") is None and one.option("httpclose") is None
    ]
    if lacking:
        text = f"a reload of HAProxy drops the idle connections of clients at {', '.join(lacking)}"
        return Severity.WARN, text, f"set: {_IDLE_CLOSE} {' and '.join(lacking)}"
    return Severity.OK, "a reload does not close an idle connection before its next response"


def _reuse(proxy: Proxy) -> RuleResult:
    mode = (proxy.last("http-reuse") or ("safe",))[0]
    if mode in ("always", "aggressive"):
        return (
            Severity.WARN,
            f"`http-reuse {mode}`: a client's first request can meet a connection that is closing",
        )
    return Severity.OK, f"connections are reused in mode {mode}"


MODE = Rule(
    "haproxy-mode",
    "`mode http` in the backend and `mode http` in the frontend",
    _mode,
    "set: `mode http` in the backend and `mode http` in the frontend, so that TLS ends at HAProxy; "
    "or choose with `on_drain_deadline` what happens to the connections that are left",
)
_IDLE_CLOSE = "`option idle-close-on-response` in the frontend"
_CONNECTIONS = (
    Rule(
        "haproxy-pool-purge",
        "`default-server pool-purge-delay 100ms` in the backend, directly above its server lines",
        _pool_purge,
    ),
    Rule("haproxy-idle-close", _IDLE_CLOSE, _idle_close),
    Rule("haproxy-reuse", "`http-reuse safe` in the backend", _reuse),
)
