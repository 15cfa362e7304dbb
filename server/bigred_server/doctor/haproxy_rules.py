"""What a backend in HAProxy's configuration file should say, rule by rule: pure."""

from collections.abc import Callable
from dataclasses import dataclass

from bigred_server.doctor.finding import Severity
from bigred_server.haproxy.configfile import Proxy, word_after

# What a node may have run before its request is sent to another: harmless for a GET alone.
_REPLAYS = frozenset(
    (
        *("all-retryable-errors", "empty-response", "junk-response", "response-timeout"),
        *("500", "502", "503", "504"),
    )
)
_STICKY = ("stick", "cookie", "appsession")

Verdict = tuple[Severity, str]


@dataclass(frozen=True)
class Rule:
    """One thing that the file must say: `line` as it should stand, and how it is judged.

    `mend`: what to do where writing that line is not the answer.
    """

    code: str
    line: str
    judge: Callable[[Proxy], Verdict]
    mend: str = ""


def _redispatch(proxy: Proxy) -> Verdict:
    how = proxy.option("redispatch")
    if how is None:
        return Severity.WARN, "a request whose node does not answer is not given to another node"
    if how[:1] != ("1",):
        return (
            Severity.WARN,
            "only the last try goes to another node: users wait for the first ones",
        )
    return Severity.OK, "a request whose node does not answer goes to another at once"


def _retry_on(proxy: Proxy) -> Verdict:
    if (proxy.last("retries") or ("3",))[:1] == ("0",):
        return Severity.BAD, "`retries 0`: nothing is ever tried on another node"
    on = proxy.last("retry-on") or ()
    if not {"empty-response", "all-retryable-errors"} & set(on):
        return Severity.WARN, "when a node dies, the requests that it had taken answer 502"
    return Severity.OK, f"tried again on {' '.join(on)}"


def _replays(proxy: Proxy) -> Verdict:
    on = _REPLAYS & set(proxy.last("retry-on") or ())
    if not on:
        return Severity.OK, "nothing that a node may have seen is sent again"
    barred = proxy.all("http-request", "disable-l7-retry")
    if not barred:
        return Severity.BAD, f"`retry-on {' '.join(sorted(on))}` runs a POST twice when a node dies"
    words = {word for rest in barred for word in rest}
    named = all(rest[:1] == ("if",) for rest in barred) and not words & {"METH_GET", "!METH_GET"}
    if named and not {"METH_PUT", "METH_DELETE"} <= words:
        return Severity.WARN, "POST is not sent twice, but PUT, PATCH and DELETE are"
    return Severity.OK, "only what may be repeated is sent again"


def _state_file(proxy: Proxy) -> Verdict:
    kept = any(line[:1] in (("server-state-file",), ("server-state-base",)) for line in proxy.world)
    loads = proxy.last("load-server-state-from-file") or ("none",)
    if not kept or loads[0] == "none":
        return (
            Severity.WARN,
            "a reload of HAProxy forgets which node is out of service: it gets users",
        )
    return Severity.OK, "a reload keeps states, if they are written to the file before it"


def _marked_down(proxy: Proxy) -> Verdict:
    if any(word_after(words, "on-marked-down") for words in proxy.servers.values()):
        return (
            Severity.BAD,
            "`on-marked-down shutdown-sessions` ends the requests of a node that leaves",
        )
    return Severity.OK, "a node that leaves ends its requests"


def _agent(proxy: Proxy) -> Verdict:
    if any("agent-check" in words for words in proxy.servers.values()):
        return Severity.BAD, "an `agent-check` that says ready ends our MAINT in mid-deployment"
    return Severity.OK, "nobody else sets states by agent-check"


def _httpchk(proxy: Proxy) -> Verdict:
    if proxy.option("httpchk") is None:
        return (
            Severity.BAD,
            "the checks only connect: Tomcat accepts that seconds before its apps work",
        )
    if proxy.check_path in ("", "/"):
        return Severity.WARN, f"the checks ask {proxy.check_path or '/'}, which may not be the app"
    return Severity.OK, f"the checks ask {proxy.check_path}"


def _pool_purge(proxy: Proxy) -> Verdict:
    if not all(word_after(words, "pool-purge-delay") for words in proxy.servers.values()):
        return (
            Severity.WARN,
            "idle connections stay for 5 s: a stopping Tomcat waits for each of them",
        )
    return Severity.OK, "idle connections to a node are soon given up"


def _idle_close(proxy: Proxy) -> Verdict:
    if proxy.option("idle-close-on-response") is None:
        return Severity.WARN, "a reload of HAProxy closes idle connections in its users' faces"
    return Severity.OK, "a reload closes no idle connection before its next response"


def _reuse(proxy: Proxy) -> Verdict:
    how = (proxy.last("http-reuse") or ("safe",))[0]
    if how in ("always", "aggressive"):
        return (
            Severity.WARN,
            f"`http-reuse {how}`: a first request may meet a connection that just dies",
        )
    return Severity.OK, f"connections are reused {how}"


def _is_sticky(proxy: Proxy) -> bool:
    balance = " ".join(proxy.last("balance") or ())
    stuck = balance.startswith(("source", "hash"))
    return stuck or any(line[0] in _STICKY for line in proxy.lines)


def _stays(proxy: Proxy) -> Verdict:
    if _is_sticky(proxy):
        return Severity.OK, "users stay on their node"
    return (
        Severity.BAD,
        "users change nodes with every request, and their sessions are on one of them",
    )


def _moved(proxy: Proxy) -> Verdict:
    if _is_sticky(proxy):
        return (
            Severity.WARN,
            "users stay on their node, and lose their session when it is deployed to",
        )
    return Severity.OK, "users have no node of their own"


def _cookie_values(proxy: Proxy) -> Verdict:
    if proxy.last("cookie") is None or "dynamic" in (proxy.last("cookie") or ()):
        return Severity.OK, "no cookie needs a value per server"
    without = [name for name, words in proxy.servers.items() if not word_after(words, "cookie")]
    if without:
        return (
            Severity.BAD,
            f"the cookie has no value for {', '.join(without)}: users don't stay there",
        )
    return Severity.OK, "every server has its cookie"


RULES = (
    Rule("haproxy-httpchk", "option httpchk GET /APP/PATH", _httpchk),
    Rule("haproxy-redispatch", "option redispatch 1", _redispatch),
    Rule("haproxy-retry-on", "retry-on conn-failure empty-response", _retry_on),
    Rule(
        "haproxy-replay",
        "http-request disable-l7-retry unless METH_GET || METH_HEAD",
        _replays,
    ),
    Rule(
        "haproxy-state-file",
        "`server-state-file FILE` in global, `load-server-state-from-file global` in defaults, and "
        "have `show servers state` written to FILE before each reload",
        _state_file,
    ),
    Rule("haproxy-marked-down", "no `on-marked-down shutdown-sessions`", _marked_down),
    Rule("haproxy-agent", "no `agent-check`", _agent),
    Rule("haproxy-pool-purge", "default-server pool-purge-delay 100ms", _pool_purge),
    Rule("haproxy-idle-close", "option idle-close-on-response", _idle_close),
    Rule("haproxy-reuse", "http-reuse safe", _reuse),
    Rule("haproxy-cookie-values", "cookie NAME on every server line", _cookie_values),
)
STAY = Rule("haproxy-sticky", "cookie NODE insert indirect nocache", _stays)
MOVED = Rule(
    "haproxy-sticky",
    "cookie",
    _moved,
    'set `sessions = "wait"` or "parallel"; or `sessions_shared = true`, if the Tomcats share them',
)
