"""What can be checked only in HAProxy's configuration file. Pure: works on its parsed text.

If the file can't be read, each rule becomes a finding that names the line to check by hand; so does
a rule that comes out differently depending on what can't be evaluated from here.
"""

from collections.abc import Callable

from bigred_server.doctor.finding import Finding
from bigred_server.doctor.haproxy_rules import HTTP, MODE, rules
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.rollout.core.policy import Sessions

_MOST_NAMED = 3


def findings(
    where: str,
    proxy: Proxy | None,
    unread: str,
    sessions: Sessions,
    *,
    shared: bool,
    context: str | None = None,
    mode: str = "",
) -> list[Finding]:
    """Check a backend against every rule; `unread` says why `proxy` is None.

    `sessions` and `shared`: the app's `sessions` and `sessions_shared`. `context`: its context
    path, None if unknown. `mode`: the backend's as HAProxy reports it, "" if unknown.
    """
    if proxy is None:
        needed = rules(mode, sessions, shared=shared, context=context)
        by_hand = [rule.by_hand(where, unread) for rule in needed if rule is not MODE or not mode]
        known = Proxy("", lines=(("mode", mode),))
        return [*([MODE.finding(where, known)] if mode else []), *by_hand]

    def check(reading: Proxy) -> list[Finding]:
        needed = rules(reading.mode, sessions, shared=shared, context=context)
        return [rule.finding(where, reading) for rule in needed]

    every = {rule.code: rule for rule in rules(HTTP, sessions, shared=shared, context=context)}
    return agreed(proxy, check, lambda code, text: every[code].by_hand(where, text))


def agreed(
    proxy: Proxy,
    check: Callable[[Proxy], list[Finding]],
    unknown: Callable[[str, str], Finding],
) -> list[Finding]:
    """Check a backend however HAProxy may have read its file; where that matters, it is unknown.

    `unknown`: makes the finding for a code and a text.
    """
    found = [{one.code: one for one in check(reading)} for reading in (proxy, *proxy.others)]
    codes = dict.fromkeys(code for one in found for code in one)
    return [_agreed(code, found, proxy, unknown) for code in codes]


def _agreed(
    code: str,
    found: list[dict[str, Finding]],
    proxy: Proxy,
    unknown: Callable[[str, str], Finding],
) -> Finding:
    levels = {one[code].level if code in one else None for one in found}
    if len(levels) == 1:
        return found[0][code]
    shown = ", ".join(proxy.open[:_MOST_NAMED]) + (" …" if proxy.open[_MOST_NAMED:] else "")
    return unknown(code, f"this depends on {shown}, which can't be evaluated from here")
