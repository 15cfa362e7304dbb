"""What the doctor finds in HAProxy: in its file, rule by rule, and in its Runtime API."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.looks import changed, server_row

from bigred_server.doctor import haproxy, haproxy_file, listeners
from bigred_server.doctor.finding import Finding, Severity, worst_first
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.configfile import backend
from bigred_server.haproxy.configuration import BackendConfig, configuration
from bigred_server.haproxy.rows import ServerRow
from bigred_server.haproxy.survey import Survey
from bigred_server.haproxy.tables import Process
from bigred_server.rollout.core.observation import Admin, Counters
from bigred_server.rollout.core.policy import Sessions

OURS = configuration(
    8080,
    BackendConfig("shop", (("n1", 1), ("n2", 2)), "/shop/health"),
    Path("/a.sock"),
    Path("/states"),
)


def judged(
    text: str | None, sessions: Sessions = Sessions.MOVE, *, shared: bool = False
) -> dict[str, Finding]:
    proxy = backend(text, "shop") if text is not None else None
    found = haproxy_file.findings("h", proxy, "/x can't be read", sessions, shared=shared)
    assert len({finding.code for finding in found}) == len(found)
    return {finding.code: finding for finding in found}


def test_our_own_configuration_has_nothing_to_fix() -> None:
    assert {finding.level for finding in judged(OURS).values()} == {Severity.OK}


@pytest.mark.parametrize(
    ("old", "new", "code", "level"),
    [
        ("option redispatch 1", "", "haproxy-redispatch", Severity.WARN),
        ("option redispatch 1", "option redispatch", "haproxy-redispatch", Severity.WARN),
        ("retries 3", "retries 0", "haproxy-retry-on", Severity.BAD),
        ("retry-on conn-failure empty-response", "", "haproxy-retry-on", Severity.WARN),
        ("retry-on conn-failure empty-response", "", "haproxy-replay", Severity.OK),
        ("conn-failure empty-response", "all-retryable-errors", "haproxy-retry-on", Severity.OK),
        ("http-request disable-l7-retry unless METH_GET", "", "haproxy-replay", Severity.BAD),
        ("unless METH_GET", "", "haproxy-replay", Severity.OK),
        ("unless METH_GET", "if METH_POST", "haproxy-replay", Severity.WARN),
        ("unless METH_GET", "if !METH_GET", "haproxy-replay", Severity.OK),
        ("server-state-file /states", "", "haproxy-state-file", Severity.WARN),
        ("load-server-state-from-file global", "", "haproxy-state-file", Severity.WARN),
        ("from-file global", "from-file none", "haproxy-state-file", Severity.WARN),
        ("option httpchk\n", "\n", "haproxy-httpchk", Severity.BAD),
        ("uri /shop/health", "uri /", "haproxy-httpchk", Severity.WARN),
        ("fall 2", "fall 2 on-marked-down shutdown-sessions", "haproxy-marked-down", Severity.BAD),
        ("check\n", "check agent-check\n", "haproxy-agent", Severity.BAD),
        ("pool-purge-delay 100ms", "", "haproxy-pool-purge", Severity.WARN),
        ("option idle-close-on-response", "", "haproxy-idle-close", Severity.WARN),
        ("http-reuse safe", "http-reuse always", "haproxy-reuse", Severity.WARN),
        ("http-reuse safe", "", "haproxy-reuse", Severity.OK),
        ("balance roundrobin", "cookie N insert", "haproxy-cookie-values", Severity.BAD),
        ("balance roundrobin", "cookie N insert dynamic", "haproxy-cookie-values", Severity.OK),
    ],
)
def test_each_rule_of_the_file_is_judged(old: str, new: str, code: str, level: Severity) -> None:
    assert old in OURS
    found = judged(OURS.replace(old, new))[code]
    assert found.level is level, found
    assert bool(found.fix) is (level is not Severity.OK)


@pytest.mark.parametrize(
    ("line", "sessions", "level"),
    [
        ("balance roundrobin", Sessions.MOVE, Severity.OK),
        ("cookie N insert", Sessions.MOVE, Severity.WARN),
        ("cookie N insert", Sessions.WAIT, Severity.OK),
        ("stick on src", Sessions.PARALLEL, Severity.OK),
        ("balance source", Sessions.PARALLEL, Severity.OK),
        ("balance roundrobin", Sessions.PARALLEL, Severity.BAD),
        ("balance roundrobin", Sessions.WAIT, Severity.BAD),
    ],
)
def test_stickiness_must_fit_the_sessions(line: str, sessions: Sessions, level: Severity) -> None:
    text = OURS.replace("balance roundrobin", line)
    assert judged(text, sessions)["haproxy-sticky"].level is level
    assert "haproxy-sticky" not in judged(text, sessions, shared=True)


def test_a_file_that_cannot_be_read_becomes_lines_to_check_by_hand() -> None:
    found = judged(None)
    assert {one.level for one in found.values()} == {Severity.UNKNOWN}
    assert found["haproxy-redispatch"].text == "/x can't be read"
    assert found["haproxy-redispatch"].fix == "check by hand: `option redispatch 1` in the backend"
    assert set(found) == set(judged(OURS))


# --- the Runtime API ----------------------------------------------------------------------

UP = server_row(
    "node1",
    Admin.READY,
    up=True,
    fresh=True,
    status="UP",
    check="L7OK",
    capacity=20,
    checked=True,
    address="127.0.0.1:8080",
)


def look(*rows: ServerRow, version: str = "2.6.12") -> BackendLook:
    servers = {row.name: row for row in rows}
    return BackendLook(Process(1, "", version), servers, Counters(0, 0, 0))


def levels(*rows: ServerRow, wanted: tuple[str, ...] = ("node1",)) -> dict[str, Severity]:
    found = [*haproxy.missing("h", look(*rows), wanted), *haproxy.servers("h", look(*rows), wanted)]
    return {one.code: one.level for one in found}


@pytest.mark.parametrize(
    ("row", "code", "level"),
    [
        (UP, "haproxy-check", Severity.OK),
        (changed(UP, check="L4OK", fresh=True), "haproxy-check", Severity.BAD),
        (changed(UP, check="* L4OK", fresh=False), "haproxy-check", Severity.BAD),
        (changed(UP, checked=False, check="", fresh=None), "haproxy-check", Severity.BAD),
        (changed(UP, fresh=None), "haproxy-fall", Severity.WARN),
        (changed(UP, checks_disabled=True, check="", fresh=None), "haproxy-hushed", Severity.WARN),
        (changed(UP, up=False, status="DOWN", check="L4CON"), "haproxy-check", Severity.OK),
        (changed(UP, up=False, status="DOWN", check="L4CON"), "haproxy-state", Severity.WARN),
        (changed(UP, admin=Admin.MAINT, check="", fresh=None), "haproxy-state", Severity.WARN),
        (changed(UP, admin=Admin.MAINT, check="", fresh=None), "haproxy-check", Severity.UNKNOWN),
        (changed(UP, capacity=None), "haproxy-maxconn", Severity.WARN),
    ],
)
def test_each_server_is_judged(row: ServerRow, code: str, level: Severity) -> None:
    assert levels(row)[code] is level


def test_a_healthy_server_has_nothing_to_fix() -> None:
    assert levels(UP) == {"haproxy-check": Severity.OK}


def test_servers_and_nodes_must_be_the_same() -> None:
    other = replace(UP, name="node2")
    assert levels(UP, other)["haproxy-server-stranger"] is Severity.WARN
    assert levels(UP, wanted=("node1", "node2"))["haproxy-server-missing"] is Severity.BAD


@pytest.mark.parametrize(
    ("version", "level", "expected"),
    [
        ("2.6.12", "admin", [Severity.OK, Severity.OK]),
        ("3.2.1-dev", "admin", [Severity.OK, Severity.OK]),
        ("2.4.0", "operator", [Severity.OK, Severity.BAD]),
        ("1.8.30", "admin", [Severity.WARN, Severity.OK]),
        ("?", "user", [Severity.WARN, Severity.BAD]),
    ],
)
def test_version_and_level_are_judged(version: str, level: str, expected: list[Severity]) -> None:
    seen = Survey("h", Process(1, "", version), level, {})
    assert [finding.level for finding in haproxy.process(seen)] == expected


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        (look(UP), look(UP), Severity.OK),
        (look(UP), look(), Severity.BAD),
        (look(UP), look(replace(UP, address="127.0.0.1:9090")), Severity.BAD),
        (look(UP), look(UP, version="3.0.1"), Severity.WARN),
        (look(UP), look(changed(UP, admin=Admin.MAINT)), Severity.WARN),
    ],
)
def test_several_haproxies_must_be_alike(
    one: BackendLook, other: BackendLook, level: Severity
) -> None:
    (found,) = haproxy.alike("shop", {"a": one, "b": other})
    assert found.level is level
    assert haproxy.alike("shop", {"a": one}) == []


# --- other listeners -----------------------------------------------------------------------------

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1
   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1
   3: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 444 1
"""


def test_ports_are_read_from_bind_lines() -> None:
    binds = ("*:80", ":81", "[::]:82", "/run/x.sock", "unix@/y", "127.0.0.1:8000-8010", "a:443")
    assert listeners.ports(binds) == {80, 81, 82, 443}


def test_only_listeners_count() -> None:
    assert listeners.listening(TABLE, {8080}) == {("0100007F", 8080): ["111", "222"]}


@pytest.mark.parametrize(
    ("owners", "level"),
    [
        ({"111": "haproxy (pid 1)", "222": "haproxy (pid 1)"}, Severity.OK),
        ({"111": "haproxy (pid 1)", "222": "haproxy (pid 2)"}, Severity.BAD),
        ({}, Severity.UNKNOWN),
    ],
)
def test_a_second_process_on_the_port_is_reported(owners: dict[str, str], level: Severity) -> None:
    (found,) = listeners.shared("h", listeners.listening(TABLE, {8080}), owners)
    assert found.level is level


def test_the_worst_comes_first() -> None:
    found = [
        Finding(level, level, "w", "t") for level in (Severity.OK, Severity.UNKNOWN, Severity.BAD)
    ]
    assert [one.level for one in worst_first(found)] == [
        Severity.BAD,
        Severity.UNKNOWN,
        Severity.OK,
    ]


def test_the_json_of_a_finding_keeps_its_keys() -> None:
    found = Finding("disk", Severity.WARN, "server", "5 MB free", "free some disk space")
    assert found.as_json() == {
        "code": "disk",
        "level": "warn",
        "where": "server",
        "text": "5 MB free",
        "mend": "free some disk space",
    }
