"""What the Runtime API tells of a HAProxy, judged: pure, from one look."""

import re
from collections.abc import Iterable, Mapping

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.haproxy.rows import BackendLook, ServerRow
from bigred_server.haproxy.survey import Survey
from bigred_server.rollout.core.observation import Admin

OLDEST = (2, 4)


def process(seen: Survey) -> list[Finding]:
    """Judge the process: its version, and what its socket lets us do."""
    where = f"HAProxy at {seen.address}"
    return [_version(where, seen.process.version), _level(where, seen.level)]


def servers(where: str, look: BackendLook, wanted: Iterable[str]) -> list[Finding]:
    """Judge the servers of the backend; `wanted` are those that the configuration names."""
    wanted = list(wanted)
    findings = [
        Finding(
            "haproxy-server-missing",
            Severity.BAD,
            where,
            f"there is no server {name!r}; it has: {', '.join(look.servers) or 'none'}",
            "add its server line, or set the node's `server` to the name of its line",
        )
        for name in wanted
        if name not in look.servers
    ]
    if strangers := [name for name in look.servers if name not in wanted]:
        findings.append(
            Finding(
                "haproxy-server-stranger",
                Severity.WARN,
                where,
                f"servers that are no node of the app: {', '.join(strangers)}",
                "give each a table [apps.NAME.nodes.NAME]: else they stay on the old release",
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
                f"no `maxconn` for {', '.join(unlimited)}: nobody can tell whether the others "
                "carry the load of a node that is taken",
                "write `maxconn N` on the server line: the requests that its Tomcat does at once",
            )
        )
    return findings


def alike(looks: Mapping[str, BackendLook]) -> list[Finding]:
    """Judge whether several HAProxies before one app have the same servers in the same states."""
    if len(looks) < 2:
        return []
    first, *others = looks
    where = f"HAProxies at {', '.join(looks)}"
    findings = []
    for at in others:
        if (ours := _addresses(looks[first])) != (theirs := _addresses(looks[at])):
            odd = sorted(name for name, _ in ours ^ theirs)
            text = f"they differ in {', '.join(dict.fromkeys(odd))}"
            mend = "give both the same server lines: names and addresses"
            findings.append(Finding("haproxy-alike", Severity.BAD, where, text, mend))
        if (old := looks[first].process.version) != (new := looks[at].process.version):
            text, mend = f"versions {old} and {new}", "run the same version on both"
            findings.append(Finding("haproxy-alike", Severity.WARN, where, text, mend))
        if odd := _differing_states(looks[first], looks[at]):
            text = f"they were told different things about {', '.join(odd)}"
            mend = "set the state again on all of them; a deployment does so by itself"
            findings.append(Finding("haproxy-alike", Severity.WARN, where, text, mend))
    return findings or [Finding("haproxy-alike", Severity.OK, where, "they have the same servers")]


def _version(where: str, version: str) -> Finding:
    found = re.match(r"(\d+)\.(\d+)", version)
    known = found is not None and (int(found[1]), int(found[2])) >= OLDEST
    oldest = ".".join(map(str, OLDEST))
    return Finding(
        "haproxy-version",
        Severity.OK if known else Severity.WARN,
        where,
        f"version {version}",
        "" if known else f"nothing older than {oldest} was tried: take a newer one",
    )


def _level(where: str, level: str) -> Finding:
    if level == "admin":
        return Finding("haproxy-level", Severity.OK, where, "the socket has level admin")
    return Finding(
        "haproxy-level",
        Severity.BAD,
        where,
        f"the socket has level {level}: no node can be taken out of service",
        "write `level admin` on its `stats socket` line",
    )


def _check(where: str, row: ServerRow) -> Finding:
    code = "haproxy-check"
    if not row.checked:
        text = "it has no check: users are sent to it dead or alive"
        return Finding(code, Severity.BAD, where, text, "add `check` to the server line")
    if row.look.checks_disabled:
        text = "its check is disabled: it counts as up whatever happens"
        mend = "`enable health BACKEND/SERVER`, unless a deployment runs; a reload keeps it so"
        return Finding("haproxy-hushed", Severity.WARN, where, text, mend)
    if row.look.check.startswith(("L4", "* L4")) and row.look.up:
        text = "its check only connects: a Tomcat accepts connections seconds before its apps work"
        return Finding(code, Severity.BAD, where, text, "write `option httpchk GET /APP/PATH`")
    if row.look.admin is not Admin.MAINT and row.look.fresh is None and row.look.check:
        text = "with `fall 1` nothing shows whether a check is newer than the last change"
        mend = "write `fall 2` or more; until then a node waits for `blind_check_s` instead"
        return Finding("haproxy-fall", Severity.WARN, where, text, mend)
    if not row.look.check:
        text = f"in {row.look.status} it shows no check"
        return Finding(
            code, Severity.UNKNOWN, where, text, "look for `option httpchk` and `fall 2`"
        )
    return Finding(code, Severity.OK, where, f"{row.look.status}, {row.look.check}")


def _state(where: str, row: ServerRow) -> list[Finding]:
    findings = []
    if row.look.admin is not Admin.READY:
        text = f"it is in {row.look.admin.upper()}"
        mend = "set it READY, unless somebody works on it or a deployment runs"
        findings.append(Finding("haproxy-state", Severity.WARN, where, text, mend))
    elif not row.look.up:
        mend = "look at the node: it is skipped by a deployment while it is down"
        findings.append(
            Finding("haproxy-state", Severity.WARN, where, f"it is {row.look.status}", mend)
        )
    return findings


def _addresses(look: BackendLook) -> set[tuple[str, str]]:
    return {(name, row.address) for name, row in look.servers.items()}


def _differing_states(one: BackendLook, other: BackendLook) -> list[str]:
    states = [{name: row.look.admin for name, row in look.servers.items()} for look in (one, other)]
    both = states[0].keys() & states[1].keys()
    return sorted(name for name in both if states[0][name] is not states[1][name])
