"""The rules for a backend on what ties users to a node. Pure."""

import ipaddress
from collections import defaultdict

from bigred_server.doctor.finding import Severity
from bigred_server.doctor.rule import Rule, RuleResult
from bigred_server.haproxy import acl
from bigred_server.haproxy.config_conditions import Truth
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.haproxy.config_words import Words

_STICK = (("stick", "on"), ("stick", "match"), ("persist", "rdp-cookie"), ("appsession",))
_BY_REQUEST = ("hash", "hdr", "url_param", "rdp-cookie")
# What every user can make true, and every user can make false.
_PUBLIC = ("path", "url", "base", "method", "query", "req.ver", "ssl_fc", "dst")
_PUBLIC_HEADERS = ("host", "user-agent", "accept", "referer", "connection", "content-type")
_HEADER = ("hdr", "req.hdr", "req.fhdr", "cook", "req.cook")
_PERSIST_FIX = (
    "remove it, or let it need a secret: "
    "`force-persist if { req.hdr(X-Probe) -m str SECRET }` in the backend"
)
_COOKIE_EACH = "write `cookie VALUE` on every server line, each with its own VALUE"
_DYNAMIC = (
    "set: `cookie NODE insert indirect nocache dynamic` in the backend and "
    "`dynamic-cookie-key KEY` in the backend; and no `cookie` on the server-template line"
)


def _is_sticky(proxy: Proxy) -> Truth:
    if proxy.last("cookie") is not None or any(proxy.all(*words) for words in _STICK):
        return True
    kind, *rest = proxy.last("balance") or ("roundrobin",)
    if kind == "source" or (kind == "hash" and "".join(rest[:1]).startswith("src")):
        return True
    return None if kind.partition("(")[0] in _BY_REQUEST else False


def _stays(proxy: Proxy) -> RuleResult:
    sticky = _is_sticky(proxy)
    if sticky is None:
        return _depends(proxy)
    if sticky:
        return Severity.OK, "users stay on their node"
    return (
        Severity.BAD,
        "users change nodes with every request, but their session is on only one of them",
    )


def _moved(proxy: Proxy) -> RuleResult:
    sticky = _is_sticky(proxy)
    if sticky is None:
        return _depends(proxy)
    if sticky:
        return (
            Severity.WARN,
            "users stay on one node, and lose their session when that node is updated",
        )
    return Severity.OK, "users are not tied to a node"


def _depends(proxy: Proxy) -> RuleResult:
    balance = " ".join(proxy.last("balance") or ())
    fix = "check by hand whether it is the same for all requests of a user"
    return Severity.UNKNOWN, f"`balance {balance}` may tie users to a node", fix


def _cookie_values(proxy: Proxy) -> RuleResult:
    cookie = proxy.last("cookie")
    if cookie is None or "dynamic" in cookie:
        return Severity.OK, "no cookie needs a value per server"
    # A backup takes over for all: it may have no value, or that of the server it stands in for.
    servers = [one for one in proxy.servers if "backup" not in one]
    if templates := [one.name for one in servers if one.is_template]:
        text = f"the servers of {', '.join(templates)} can't have a cookie value each"
        return Severity.BAD, f"{text}: MAINT does not move their users", _DYNAMIC
    if without := [one.name for one in servers if not one.value("cookie")]:
        text = f"the cookie has no value for {', '.join(without)}: users don't stay there"
        return Severity.BAD, text, _COOKIE_EACH
    names = defaultdict(list)
    for one in servers:
        names[one.value("cookie")].append(one.name)
    if equal := [" and ".join(group) for group in names.values() if len(group) > 1]:
        text = f"{', '.join(equal)} have the same cookie value: users of one are sent to the other"
        return Severity.BAD, text, _COOKIE_EACH
    return Severity.OK, "every server has a cookie value of its own"


def _persist(proxy: Proxy) -> RuleResult:
    if proxy.last("cookie") is None and not any(proxy.all(*words) for words in _STICK):
        return Severity.OK, "no user is tied to a node that is out of service"
    if proxy.option("persist") is not None:
        return (
            Severity.BAD,
            "`option persist` sends a user with a cookie to a node that is out of service",
        )
    named, doubts = acl.acls(proxy.lines), []
    for condition in proxy.all("force-persist"):
        found = acl.values(condition, named, _anybody)
        line = f"`force-persist {' '.join(condition)}`"
        if True in found:
            text = f"{line} sends a user with a cookie to a node that is out of service"
            return Severity.BAD, text, _PERSIST_FIX
        doubts += [line] if None in found else []
    if doubts:
        text = f"{doubts[0]} sends users who fulfil it to a node that is out of service"
        return Severity.UNKNOWN, text, "check by hand that no user can fulfil it"
    return Severity.OK, "a user whose node is out of service goes to another"


def _anybody(words: Words) -> acl.Values:
    """Return what a criterion can come out as for an ordinary user."""
    name, flags, patterns = acl.criterion(words)
    kind, _, argument = name.partition("(")
    argument = argument.partition(",")[0].rstrip(")").lower()
    if kind in ("src", "fc_src") and "-f" not in flags:
        return _sources(patterns)
    if kind == "http_auth":
        return acl.NEVER
    if kind in _HEADER and argument not in _PUBLIC_HEADERS:
        # Only those who know a value can send it; anybody can send some value.
        is_secret = bool(patterns) and not {"found", "len"} & set(flags) and "," not in name
        return acl.NEVER if is_secret else acl.EITHER
    if kind in _HEADER or kind.startswith(_PUBLIC):
        return acl.EITHER
    return acl.UNKNOWN


def _sources(patterns: tuple[str, ...]) -> acl.Values:
    try:
        networks = [ipaddress.ip_network(pattern, strict=False) for pattern in patterns]
    except ValueError:
        return acl.UNKNOWN
    if any(network.prefixlen == 0 for network in networks):
        return acl.ALWAYS
    # Users may come from any network, but hardly from one machine that somebody has named.
    is_narrow = all(one.is_loopback or one.num_addresses == 1 for one in networks)
    return acl.NEVER if is_narrow else acl.UNKNOWN


PERSIST = Rule("haproxy-persist", "`no option persist` in the backend", _persist)
COOKIE_VALUES = Rule("haproxy-cookie-values", _COOKIE_EACH, _cookie_values, _COOKIE_EACH)
STAY = Rule(
    "haproxy-sticky",
    "`cookie NODE insert indirect nocache` in the backend and `cookie VALUE` on every server line",
    _stays,
)
MOVED = Rule(
    "haproxy-sticky",
    "no `cookie`, `stick` or `balance source`",
    _moved,
    'set `sessions = "wait"` or "parallel"; or `sessions_shared = true`, if the Tomcats share them',
)
