"""Findings from one look at HAProxy's Runtime API; this module asks HAProxy nothing itself."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from bigred_server.doctor import haproxy_server
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.rows import not_a_node
from bigred_server.haproxy.survey import Survey
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.observation import Admin, ServerRole

OLDEST = (2, 4)


def process(seen: Survey) -> list[Finding]:
    """Check HAProxy's version and the level of its socket."""
    where = f"HAProxy at {seen.address}"
    return [_version(where, seen.process.version), _level(where, seen.level)]


def missing(where: str, look: BackendLook, configured: Iterable[str]) -> list[Finding]:
    """Check that the backend has the servers that the nodes name."""
    return [
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


def servers(where: str, look: BackendLook, configured: Collection[str]) -> list[Finding]:
    """Check the servers of a backend; `configured` are those of the nodes."""
    findings: list[Finding] = []
    strangers = [name for name, row in look.servers.items() if name not in configured]
    for name in strangers:
        if look.servers[name].look.role is ServerRole.BACKUP:
            text = "a backup that is no node: users get it only while no node is up"
            findings.append(Finding("haproxy-backup", Severity.OK, f"{where}, {name}", text))
    if left := [name for name in strangers if not not_a_node(look.servers[name])]:
        findings.append(
            Finding(
                "haproxy-server-stranger",
                Severity.WARN,
                where,
                f"servers without a node stay on the old release: {', '.join(left)}",
                "add a table [apps.NAME.nodes.NAME] for each",
            )
        )
    # A stranger that is out of service gets no users.
    users = [name for name in left if look.servers[name].look.admin is Admin.READY]
    judged = {n: row for n, row in look.servers.items() if n in configured or n in users}
    for name, row in judged.items():
        findings += haproxy_server.findings(f"{where}, {name}", row)
    if unlimited := [name for name, row in judged.items() if row.look.capacity is None]:
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


def sharing(where: str, found: Mapping[str, Sequence[str]], unmanaged: Sequence[str]) -> Finding:
    """Check that users come to the app's Tomcats only by its own backends.

    `found`: backends that are not the app's, as a look at the fleet has them; `unmanaged`: those
    that were left alone as configured.
    """
    code = "haproxy-sharing"
    if found:
        fix = "set `backend` or `unmanaged` in [apps.NAME.haproxy]; nothing is deployed until then"
        return Finding(code, Severity.BAD, where, sentences.shared(found), fix)
    if unmanaged:
        text = f"left alone, as configured: {', '.join(unmanaged)}; their users are not counted"
        return Finding(code, Severity.OK, where, text)
    return Finding(code, Severity.OK, where, "no other backend has the same Tomcats")


def alike(backend: str, looks: Mapping[str, BackendLook]) -> list[Finding]:
    """Check that all HAProxies that have a backend have the same servers there, in the same states.

    `looks`: at that backend, by the addresses of the HAProxies.
    """
    if len(looks) < 2:
        return []
    first, *others = looks
    where = f"HAProxies at {', '.join(looks)}, backend {backend}"
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


def _addresses(look: BackendLook) -> set[tuple[str, str]]:
    return {(name, row.address) for name, row in look.servers.items()}


def _differing_states(one: BackendLook, other: BackendLook) -> list[str]:
    states = [{name: row.look.admin for name, row in look.servers.items()} for look in (one, other)]
    both = states[0].keys() & states[1].keys()
    return sorted(name for name in both if states[0][name] is not states[1][name])
