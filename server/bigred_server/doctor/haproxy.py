"""Findings from one look at HAProxy's Runtime API; this module asks HAProxy nothing itself."""

import re
from collections.abc import Iterable, Mapping

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.haproxy.rows import BackendLook, ServerRow
from bigred_server.haproxy.survey import Survey
from bigred_server.rollout.core.observation import Admin

OLDEST = (2, 4)


def process(seen: Survey) -> list[Finding]:
    """Check HAProxy's version and the level of its socket."""
    where = f"HAProxy at {seen.address}"
    return [_version(where, seen.process.version), _level(where, seen.level)]


def servers(where: str, look: BackendLook, configured: Iterable[str]) -> list[Finding]:
    """Check the servers of the backend; `configured` are those that the nodes name."""
    configured = list(configured)
    findings = [
        Finding(
            "haproxy-server-missing",
            Severity.BAD,
            where,
            f"no server {name!r}; available: {', '.join(look.servers) or 'none'}",
            "add its server line, or set the node's `server` to the name of its line",
        )
        for name in configured
        if name not in look.servers
    ]
    if strangers := [name for name in look.servers if name not in configured]:
        findings.append(
            Finding(
                "haproxy-server-stranger",
                Severity.WARN,
                where,
                f"servers without a node stay on the old release: {', '.join(strangers)}",
                "add a table [apps.NAME.nodes.NAME] for each",
            )
        )
    for name, row in look.servers.items():
        findings += [_check(f"{where}, {name}", row), *_state(f"{where}, {name}", row)]
    if unlimited := [name for name, row in look.servers.items() if row.look.capacity is None]:
        findings.append(
            Finding(
                "haproxy-maxconn",
                Severity.WARN,
                where,
                f"no `maxconn` for {', '.join(unlimited)}: Bigred can't tell whether the other "
                "nodes can carry the load of one that is out of service",
                "set `maxconn N` on the server line: how many requests its Tomcat handles at once",
            )
        )
    return findings


def alike(looks: Mapping[str, BackendLook]) -> list[Finding]:
    """Check that all HAProxies in front of an app have the same servers in the same states."""
    if len(looks) < 2:
        return []
    first, *others = looks
    where = f"HAProxies at {', '.join(looks)}"
    findings = []
    for at in others:
        if (ours := _addresses(looks[first])) != (theirs := _addresses(looks[at])):
            names = sorted(name for name, _ in ours ^ theirs)
            text = f"their server lines differ: {', '.join(dict.fromkeys(names))}"
            fix = "give them the same server lines: names and addresses"
            findings.append(Finding("haproxy-alike", Severity.BAD, where, text, fix))
        if (old := looks[first].process.version) != (new := looks[at].process.version):
            text, fix = f"their versions differ: {old} and {new}", "run the same version everywhere"
            findings.append(Finding("haproxy-alike", Severity.WARN, where, text, fix))
        if differing := _differing_states(looks[first], looks[at]):
            text = f"their server states differ: {', '.join(differing)}"
            fix = "set the state again on all of them; a deployment does so by itself"
            findings.append(Finding("haproxy-alike", Severity.WARN, where, text, fix))
    return findings or [Finding("haproxy-alike", Severity.OK, where, "they have the same servers")]


def _version(where: str, version: str) -> Finding:
    code = "haproxy-version"
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is not None and (int(found[1]), int(found[2])) >= OLDEST:
        return Finding(code, Severity.OK, where, f"version {version}")
    oldest = ".".join(map(str, OLDEST))
    text = f"version {version}; Bigred is not tested with versions before {oldest}"
    return Finding(code, Severity.WARN, where, text, f"upgrade to {oldest} or later")


def _level(where: str, level: str) -> Finding:
    if level == "admin":
        return Finding("haproxy-level", Severity.OK, where, "the socket has level admin")
    return Finding(
        "haproxy-level",
        Severity.BAD,
        where,
        f"the socket has level {level}, so no node can be taken out of service",
        "set `level admin` on its `stats socket` line",
    )


def _check(where: str, row: ServerRow) -> Finding:
    code = "haproxy-check"
    if not row.checked:
        text = "no health check: it gets requests whether it works or not"
        return Finding(code, Severity.BAD, where, text, "add `check` to the server line")
    if row.look.checks_disabled:
        text = "its health check is disabled: it counts as up whatever happens"
        fix = "run `enable health BACKEND/SERVER`, unless a deployment is in progress; a reload"
        fix += " does not enable it"
        return Finding("haproxy-hushed", Severity.WARN, where, text, fix)
    if row.look.check.startswith(("L4", "* L4")) and row.look.up:
        text = "its health check only connects, but Tomcat accepts that seconds before its apps "
        text += "work"
        return Finding(code, Severity.BAD, where, text, "set: option httpchk GET /APP/PATH")
    if row.look.admin is not Admin.MAINT and row.look.fresh is None and row.look.check:
        text = "with `fall 1`, nothing shows whether a check ran after the last state change"
        fix = "set `fall 2` or more; until then each node waits for `blind_check_s` instead"
        return Finding("haproxy-fall", Severity.WARN, where, text, fix)
    if not row.look.check:
        text = f"no health check is visible while it is {row.look.status}"
        fix = "check by hand: `option httpchk` and `fall 2`"
        return Finding(code, Severity.UNKNOWN, where, text, fix)
    return Finding(code, Severity.OK, where, f"{row.look.status}, {row.look.check}")


def _state(where: str, row: ServerRow) -> list[Finding]:
    code = "haproxy-state"
    if row.look.admin is not Admin.READY:
        text = f"it is in {row.look.admin.upper()} and gets no new users"
        fix = "set it to READY, unless somebody is working on it or a deployment is in progress"
        return [Finding(code, Severity.WARN, where, text, fix)]
    if not row.look.up:
        text = f"it is {row.look.status}, and a deployment skips a node that is down"
        return [Finding(code, Severity.WARN, where, text, "find out why the node is down")]
    return []


def _addresses(look: BackendLook) -> set[tuple[str, str]]:
    return {(name, row.address) for name, row in look.servers.items()}


def _differing_states(one: BackendLook, other: BackendLook) -> list[str]:
    states = [{name: row.look.admin for name, row in look.servers.items()} for look in (one, other)]
    both = states[0].keys() & states[1].keys()
    return sorted(name for name in both if states[0][name] is not states[1][name])
