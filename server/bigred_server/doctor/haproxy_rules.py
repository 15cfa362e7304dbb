"""The rules for a backend in HAProxy's configuration file. Pure."""

from bigred_server.doctor.finding import Severity
from bigred_server.doctor.rule import Rule, RuleResult
from bigred_server.haproxy.configfile import Proxy, word_after

# A node may already have run the request when HAProxy sends it to another: harmless for GET only.
_REPLAYS = frozenset(
    (
        *("all-retryable-errors", "empty-response", "junk-response", "response-timeout"),
        *("500", "502", "503", "504"),
    )
)
_STICKY = ("stick", "cookie", "appsession")


def _redispatch(proxy: Proxy) -> RuleResult:
    interval = proxy.option("redispatch")
    if interval is None:
        return Severity.WARN, "a request whose node does not answer is not sent to another node"
    if interval[:1] != ("1",):
        return (
            Severity.WARN,
            "only the last retry goes to another node: users wait for the ones before it",
        )
    return Severity.OK, "a request whose node does not answer goes to another node at once"


def _retry_on(proxy: Proxy) -> RuleResult:
    if (proxy.last("retries") or ("3",))[:1] == ("0",):
        return Severity.BAD, "`retries 0`: no request is ever retried on another node"
    on = proxy.last("retry-on") or ()
    if not {"empty-response", "all-retryable-errors"} & set(on):
        return Severity.WARN, "when a node dies, the requests it had accepted answer 502"
    return Severity.OK, f"requests are retried on {' '.join(on)}"


def _replays(proxy: Proxy) -> RuleResult:
    on = _REPLAYS & set(proxy.last("retry-on") or ())
    if not on:
        return Severity.OK, "no request that a node may have seen is sent again"
    barred = proxy.all("http-request", "disable-l7-retry")
    if not barred:
        return Severity.BAD, f"`retry-on {' '.join(sorted(on))}` runs a POST twice when a node dies"
    words = {word for rest in barred for word in rest}
    named = all(rest[:1] == ("if",) for rest in barred) and not words & {"METH_GET", "!METH_GET"}
    if named and not {"METH_PUT", "METH_DELETE"} <= words:
        return Severity.WARN, "POST is not sent twice, but PUT, PATCH and DELETE are"
    return Severity.OK, "only requests that are safe to repeat are sent again"


def _state_file(proxy: Proxy) -> RuleResult:
    kept = any(line[:1] in (("server-state-file",), ("server-state-base",)) for line in proxy.world)
    loads = proxy.last("load-server-state-from-file") or ("none",)
    if not kept or loads[0] == "none":
        return (
            Severity.WARN,
            "a reload of HAProxy forgets which node is out of service, and sends it users",
        )
    return Severity.OK, "a reload keeps server states, if they are saved to the file before it"


def _marked_down(proxy: Proxy) -> RuleResult:
    if any(word_after(words, "on-marked-down") for words in proxy.servers.values()):
        return (
            Severity.BAD,
            "`on-marked-down shutdown-sessions` cuts the requests in flight when a node goes down",
        )
    return Severity.OK, "a node that goes down finishes its requests"


def _agent(proxy: Proxy) -> RuleResult:
    if any("agent-check" in words for words in proxy.servers.values()):
        return (
            Severity.BAD,
            "an `agent-check` that reports ready ends Bigred's MAINT in the middle of a deployment",
        )
    return Severity.OK, "no agent-check changes server states"


def _httpchk(proxy: Proxy) -> RuleResult:
    if proxy.option("httpchk") is None:
        return (
            Severity.BAD,
            "health checks only connect, but Tomcat accepts that seconds before its apps work",
        )
    if proxy.check_path in ("", "/"):
        return (
            Severity.WARN,
            f"health checks request {proxy.check_path or '/'}, which may not be the app",
        )
    return Severity.OK, f"health checks request {proxy.check_path}"


def _pool_purge(proxy: Proxy) -> RuleResult:
    if not all(word_after(words, "pool-purge-delay") for words in proxy.servers.values()):
        return (
            Severity.WARN,
            "idle connections stay open for 5 s, and a stopping Tomcat waits for each of them",
        )
    return Severity.OK, "idle connections to a node are soon closed"


def _idle_close(proxy: Proxy) -> RuleResult:
    if proxy.option("idle-close-on-response") is None:
        return Severity.WARN, "a reload of HAProxy drops clients' idle connections"
    return Severity.OK, "a reload does not close an idle connection before its next response"


def _reuse(proxy: Proxy) -> RuleResult:
    mode = (proxy.last("http-reuse") or ("safe",))[0]
    if mode in ("always", "aggressive"):
        return (
            Severity.WARN,
            f"`http-reuse {mode}`: a client's first request can meet a connection that is closing",
        )
    return Severity.OK, f"connections are reused in mode {mode}"


def _is_sticky(proxy: Proxy) -> bool:
    balance = " ".join(proxy.last("balance") or ())
    by_client = balance.startswith(("source", "hash"))
    return by_client or any(line[0] in _STICKY for line in proxy.lines)


def _stays(proxy: Proxy) -> RuleResult:
    if _is_sticky(proxy):
        return Severity.OK, "users stay on their node"
    return (
        Severity.BAD,
        "users change nodes with every request, but their session is on only one of them",
    )


def _moved(proxy: Proxy) -> RuleResult:
    if _is_sticky(proxy):
        return (
            Severity.WARN,
            "users stay on one node, and lose their session when that node is updated",
        )
    return Severity.OK, "users are not tied to a node"


def _cookie_values(proxy: Proxy) -> RuleResult:
    if proxy.last("cookie") is None or "dynamic" in (proxy.last("cookie") or ()):
        return Severity.OK, "no cookie needs a value per server"
    without = [name for name, words in proxy.servers.items() if not word_after(words, "cookie")]
    if without:
        return (
            Severity.BAD,
            f"the cookie has no value for {', '.join(without)}: users don't stay there",
        )
    return Severity.OK, "every server has a cookie value"


RULES = (
    Rule("haproxy-httpchk", "option httpchk GET /APP/PATH", _httpchk),
    Rule("haproxy-redispatch", "option redispatch 1", _redispatch),
    Rule("haproxy-retry-on", "`retries 3` and `retry-on conn-failure empty-response`", _retry_on),
    Rule(
        "haproxy-replay",
        "http-request disable-l7-retry unless METH_GET || METH_HEAD",
        _replays,
    ),
    Rule(
        "haproxy-state-file",
        "`server-state-file FILE` in global, `load-server-state-from-file global` in defaults, and "
        "save `show servers state` to FILE before each reload",
        _state_file,
    ),
    Rule(
        "haproxy-marked-down",
        "no `on-marked-down shutdown-sessions`",
        _marked_down,
        "remove `on-marked-down shutdown-sessions` from the server lines",
    ),
    Rule("haproxy-agent", "no `agent-check`", _agent, "remove `agent-check` from the server lines"),
    Rule("haproxy-pool-purge", "default-server pool-purge-delay 100ms", _pool_purge),
    Rule("haproxy-idle-close", "option idle-close-on-response", _idle_close),
    Rule("haproxy-reuse", "http-reuse safe", _reuse),
    Rule("haproxy-cookie-values", "cookie VALUE on every server line", _cookie_values),
)
STAY = Rule("haproxy-sticky", "cookie NODE insert indirect nocache", _stays)
MOVED = Rule(
    "haproxy-sticky",
    "no `cookie`, `stick` or `balance source`",
    _moved,
    'set `sessions = "wait"` or "parallel"; or `sessions_shared = true`, if the Tomcats share them',
)
