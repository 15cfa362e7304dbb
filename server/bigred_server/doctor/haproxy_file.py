"""What only HAProxy's configuration file tells, judged: pure, from its text.

Where the file can't be read, each rule becomes a finding that says which line to look at.
"""

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.haproxy_rules import MOVED, RULES, STAY
from bigred_server.haproxy.configfile import Proxy
from bigred_server.rollout.core.policy import Sessions


def findings(
    where: str, proxy: Proxy | None, unread: str, sessions: Sessions, *, shared: bool
) -> list[Finding]:
    """Judge a backend by its file, or say what to look at; `unread` tells why it can't be read.

    `sessions` and `shared`: the app's `sessions` and `sessions_shared`.
    """
    sticky = [] if shared else [MOVED if sessions is Sessions.MOVE else STAY]
    rules = [*RULES, *sticky]
    if proxy is None:
        return [
            Finding(rule.code, Severity.UNKNOWN, where, unread, f"look by hand for: {rule.line}")
            for rule in rules
        ]
    found = []
    for rule in rules:
        level, text = rule.judge(proxy)
        mend = "" if level is Severity.OK else rule.mend or f"write: {rule.line}"
        found.append(Finding(rule.code, level, where, text, mend))
    return found
