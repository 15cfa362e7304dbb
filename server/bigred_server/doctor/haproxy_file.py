"""What can be checked only in HAProxy's configuration file. Pure: works on its parsed text.

If the file can't be read, each rule becomes a finding that names the line to check by hand.
"""

from bigred_server.doctor.finding import Finding
from bigred_server.doctor.haproxy_rules import MOVED, RULES, STAY
from bigred_server.haproxy.configfile import Proxy
from bigred_server.rollout.core.policy import Sessions


def findings(
    where: str, proxy: Proxy | None, unread: str, sessions: Sessions, *, shared: bool
) -> list[Finding]:
    """Check a backend against every rule; `unread` says why `proxy` is None.

    `sessions` and `shared`: the app's `sessions` and `sessions_shared`.
    """
    sticky = [] if shared else [MOVED if sessions is Sessions.MOVE else STAY]
    rules = [*RULES, *sticky]
    if proxy is None:
        return [rule.by_hand(where, unread) for rule in rules]
    return [rule.finding(where, proxy) for rule in rules]
