"""The rules for a backend on requests that HAProxy sends again. Pure."""

from collections.abc import Iterable

from bigred_server.doctor.finding import Severity
from bigred_server.doctor.rule import Rule, RuleResult
from bigred_server.haproxy import acl
from bigred_server.haproxy.config_conditions import Truth, both, negated
from bigred_server.haproxy.config_proxy import ConfigLines, Proxy
from bigred_server.haproxy.config_words import Words

# A node may already have run the request when HAProxy sends it to another: harmless for GET only.
_REPLAYS = frozenset(
    ("all-retryable-errors", "empty-response", "junk-response", "response-timeout")
)
# With these two statuses a server says that it has not run the request.
_NOT_RUN = ("408", "425")
_METHOD = ("method", "capture.req.method")
_OTHERS = ("PUT", "PATCH", "DELETE")


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
    if "none" in on:
        return Severity.BAD, "`retry-on none`: no request is ever retried on another node"
    if not {"empty-response", "all-retryable-errors"} & set(on):
        return Severity.WARN, "when a node dies, the requests it had accepted answer 502"
    return Severity.OK, f"requests are retried on {' '.join(on)}"


def _replays(proxy: Proxy) -> RuleResult:
    on = [word for word in proxy.last("retry-on") or () if _is_replay(word)]
    if not on:
        return Severity.OK, "no request that a node may have seen is sent again"
    barred = {method: _is_barred(proxy, method) for method in ("POST", *_OTHERS)}
    if barred["POST"] is False:
        return Severity.BAD, f"`retry-on {' '.join(sorted(on))}` runs a POST twice when a node dies"
    if replayed := [method for method in _OTHERS if barred[method] is False]:
        return Severity.WARN, f"{_listed(replayed)} may be sent twice when a node dies"
    if None in barred.values():
        return Severity.UNKNOWN, "whether a POST is sent twice depends on a condition of yours"
    return Severity.OK, "only requests that are safe to repeat are sent again"


def _is_replay(word: str) -> bool:
    return word in _REPLAYS or (word.isdigit() and word not in _NOT_RUN)


def _is_barred(proxy: Proxy, method: str) -> Truth:
    """Return whether a request with this method is never sent again."""
    by_fronts: Truth = bool(proxy.fronts)
    for front in proxy.fronts:
        by_fronts = both(by_fronts, _bars(front, method))
    return negated(both(negated(by_fronts), negated(_bars(proxy, method))))


def _bars(section: ConfigLines, method: str) -> Truth:
    named = acl.acls(section.lines)
    found: Truth = False
    for condition in section.all("http-request", "disable-l7-retry"):
        values = acl.values(condition, named, lambda words: _values(words, method))
        one: Truth = False if False in values else None if None in values else True
        found = negated(both(negated(found), negated(one)))
    return found


def _values(words: Words, method: str) -> acl.Values:
    name, flags, patterns = acl.criterion(words)
    if name in _METHOD and set(flags) <= {"-i", "-m", "str"}:
        upper = [pattern.upper() for pattern in patterns]
        return acl.ALWAYS if method in upper else acl.NEVER
    # Anything else may be true of one request and false of the next.
    return acl.EITHER if name.startswith(("path", "url", "src", "hdr", "req.")) else acl.UNKNOWN


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


REDISPATCH = Rule("haproxy-redispatch", "`option redispatch 1` in the backend", _redispatch)
HTTP_RETRIES = (
    Rule(
        "haproxy-retry-on",
        "`retries 3` in the backend and `retry-on conn-failure empty-response` in the backend",
        _retry_on,
    ),
    Rule(
        "haproxy-replay",
        "`http-request disable-l7-retry unless METH_GET || METH_HEAD` in the backend",
        _replays,
    ),
)
