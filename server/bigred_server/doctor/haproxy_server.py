"""Findings about one server line, from HAProxy's Runtime API. Pure."""

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.haproxy.rows import ServerRow
from bigred_server.rollout.core.observation import Admin, OutBecause, ServerRole

_UNLESS = "unless somebody is working on it or a deployment is in progress"
# What a check shows that only connects, or only shakes hands for TLS.
_SHALLOW = ("L4", "* L4", "L6", "* L6")
_WHY = {
    OutBecause.COMMANDED: "",
    OutBecause.DISABLED: ", because its server line says `disabled`",
    OutBecause.FOLLOWED: ", like {tracked}, which it tracks",
    OutBecause.UNRESOLVED: ", because its name does not resolve to an address",
}
_FIX = {
    OutBecause.COMMANDED: f"run `bigred node ready NODE`, {_UNLESS}",
    OutBecause.DISABLED: f"remove `disabled` and run `bigred node ready NODE`, {_UNLESS}",
    OutBecause.FOLLOWED: f"set the server that it tracks to READY, {_UNLESS}",
    OutBecause.UNRESOLVED: "correct its name, or the `resolvers` of HAProxy",
}


def findings(where: str, row: ServerRow) -> list[Finding]:
    """Check one server: its health check, its state, and which users it gets."""
    return [_check(where, row), *_role(where, row), *_state(where, row)]


def _check(where: str, row: ServerRow) -> Finding:
    code, owner = "haproxy-check", row.tracked and f"{row.check_of}, which it tracks"
    shown = row.look.check
    if not row.checked:
        text = f"no health check{f' of {owner}' if owner else ''}: it gets requests whether it "
        text += "works or not"
        fix = f"add `check` to the server line{f' of {row.check_of}' if owner else ''}"
        return Finding(code, Severity.BAD, where, text, fix)
    if row.look.checks_disabled:
        text = "its health check is disabled: it counts as up whatever happens"
        fix = f"run `enable health {row.check_of}`, unless a deployment is in progress; a reload"
        fix += " does not enable it"
        return Finding("haproxy-hushed", Severity.WARN, where, text, fix)
    if shown.startswith(_SHALLOW) and row.look.up:
        done = "connects" if "L4" in shown else "makes a TLS handshake"
        text = f"its health check only {done}, but Tomcat accepts that seconds before its apps work"
        return Finding(code, Severity.BAD, where, text, "set: option httpchk GET /APP/PATH")
    if not owner and row.look.admin is not Admin.MAINT and row.look.fresh is None and shown:
        text = "with `fall 1`, nothing shows whether a check ran after the last state change"
        fix = "set `fall 2` or more; until then each node waits for `blind_check_s` instead"
        return Finding("haproxy-fall", Severity.WARN, where, text, fix)
    if not shown:
        text = f"no health check is visible while it is {row.look.status}"
        fix = "check by hand: `option httpchk` and `fall 2`"
        return Finding(code, Severity.UNKNOWN, where, text, fix)
    follows = f"; it follows {owner}" if owner else ""
    return Finding(code, Severity.OK, where, f"{row.look.status}, {shown}{follows}")


def _role(where: str, row: ServerRow) -> list[Finding]:
    match row.look.role:
        case ServerRole.BACKUP:
            text = "a backup: it is updated last and does not count for min_healthy"
            return [Finding("haproxy-backup", Severity.OK, where, text)]
        case ServerRole.UNWEIGHTED:
            text = "its weight is 0: it gets no new users and does not count for min_healthy"
            fix = "set its weight again, unless somebody is working on it"
            return [Finding("haproxy-state", Severity.WARN, where, text, fix)]
        case ServerRole.ACTIVE:
            return []


def _state(where: str, row: ServerRow) -> list[Finding]:
    code, look = "haproxy-state", row.look
    if look.admin is not Admin.READY:
        because = look.because or OutBecause.COMMANDED
        why = _WHY[because].format(tracked=row.tracked)
        text = f"it is in {look.admin.upper()}{why}, and gets no new users"
        return [Finding(code, Severity.WARN, where, text, _FIX[because])]
    if not look.up:
        text = f"it is {look.status}, and a deployment skips a node that is down"
        return [Finding(code, Severity.WARN, where, text, "find out why the node is down")]
    return []
