"""What the doctor makes of HAProxy: of its file, rule by rule, and of what it says of itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from bigred_server.doctor import haproxy, haproxy_file, listeners
from bigred_server.doctor.finding import Finding, Level, worst_first
from bigred_server.haproxy.backend import BackendLook
from bigred_server.haproxy.configfile import parse, proxy
from bigred_server.haproxy.configuration import Backend, configuration
from bigred_server.haproxy.rows import Process, Row
from bigred_server.haproxy.survey import Survey
from bigred_server.rollout.core.observation import Admin, Counters
from bigred_server.rollout.core.policy import Sessions

OURS = configuration(
    8080, Backend("shop", (("n1", 1), ("n2", 2)), "/shop/health"), Path("/a.sock"), Path("/states")
)


def judged(
    text: str | None, sessions: Sessions = Sessions.MOVE, *, shared: bool = False
) -> dict[str, Finding]:
    backend = proxy(parse(text), "shop") if text is not None else None
    found = haproxy_file.findings("h", backend, "/x can't be read", sessions, shared=shared)
    assert len({finding.code for finding in found}) == len(found)
    return {finding.code: finding for finding in found}


def test_our_own_configuration_has_nothing_to_mend() -> None:
    assert {finding.level for finding in judged(OURS).values()} == {Level.OK}


@pytest.mark.parametrize(
    ("old", "new", "code", "level"),
    [
        ("option redispatch 1", "", "haproxy-redispatch", Level.WARN),
        ("option redispatch 1", "option redispatch", "haproxy-redispatch", Level.WARN),
        ("retries 3", "retries 0", "haproxy-retry-on", Level.BAD),
        ("retry-on conn-failure empty-response", "", "haproxy-retry-on", Level.WARN),
        ("retry-on conn-failure empty-response", "", "haproxy-replay", Level.OK),
        ("conn-failure empty-response", "all-retryable-errors", "haproxy-retry-on", Level.OK),
        ("http-request disable-l7-retry unless METH_GET", "", "haproxy-replay", Level.BAD),
        ("unless METH_GET", "", "haproxy-replay", Level.OK),
        ("unless METH_GET", "if METH_POST", "haproxy-replay", Level.WARN),
        ("unless METH_GET", "if !METH_GET", "haproxy-replay", Level.OK),
        ("server-state-file /states", "", "haproxy-state-file", Level.WARN),
        ("load-server-state-from-file global", "", "haproxy-state-file", Level.WARN),
        ("from-file global", "from-file none", "haproxy-state-file", Level.WARN),
        ("option httpchk\n", "\n", "haproxy-httpchk", Level.BAD),
        ("uri /shop/health", "uri /", "haproxy-httpchk", Level.WARN),
        ("fall 2", "fall 2 on-marked-down shutdown-sessions", "haproxy-marked-down", Level.BAD),
        ("check\n", "check agent-check\n", "haproxy-agent", Level.BAD),
        ("pool-purge-delay 100ms", "", "haproxy-pool-purge", Level.WARN),
        ("option idle-close-on-response", "", "haproxy-idle-close", Level.WARN),
        ("http-reuse safe", "http-reuse always", "haproxy-reuse", Level.WARN),
        ("http-reuse safe", "", "haproxy-reuse", Level.OK),
        ("balance roundrobin", "cookie N insert", "haproxy-cookie-values", Level.BAD),
        ("balance roundrobin", "cookie N insert dynamic", "haproxy-cookie-values", Level.OK),
    ],
)
def test_each_rule_of_the_file_is_judged(old: str, new: str, code: str, level: Level) -> None:
    assert old in OURS
    found = judged(OURS.replace(old, new))[code]
    assert found.level is level, found
    assert bool(found.mend) is (level is not Level.OK)


@pytest.mark.parametrize(
    ("line", "sessions", "level"),
    [
        ("balance roundrobin", Sessions.MOVE, Level.OK),
        ("cookie N insert", Sessions.MOVE, Level.WARN),
        ("cookie N insert", Sessions.WAIT, Level.OK),
        ("stick on src", Sessions.PARALLEL, Level.OK),
        ("balance source", Sessions.PARALLEL, Level.OK),
        ("balance roundrobin", Sessions.PARALLEL, Level.BAD),
        ("balance roundrobin", Sessions.WAIT, Level.BAD),
    ],
)
def test_stickiness_must_fit_the_sessions(line: str, sessions: Sessions, level: Level) -> None:
    text = OURS.replace("balance roundrobin", line)
    assert judged(text, sessions)["haproxy-sticky"].level is level
    assert "haproxy-sticky" not in judged(text, sessions, shared=True)


def test_a_file_that_cannot_be_read_becomes_lines_to_look_for() -> None:
    found = judged(None)
    assert {one.level for one in found.values()} == {Level.UNKNOWN}
    assert found["haproxy-redispatch"].text == "/x can't be read"
    assert found["haproxy-redispatch"].mend == "look by hand for: option redispatch 1"
    assert set(found) == set(judged(OURS))


# --- what it says of itself ----------------------------------------------------------------------

UP = Row(
    *("node1", Admin.READY, True, True, 0, "UP", "L7OK"),
    capacity=20,
    checked=True,
    address="127.0.0.1:8080",
)


def look(*rows: Row, version: str = "2.6.12") -> BackendLook:
    servers = {row.name: row for row in rows}
    return BackendLook(Process(1, "", version), servers, Counters(0, 0, 0))


def levels(*rows: Row, wanted: tuple[str, ...] = ("node1",)) -> dict[str, Level]:
    return {one.code: one.level for one in haproxy.servers("h", look(*rows), wanted)}


@pytest.mark.parametrize(
    ("row", "code", "level"),
    [
        (UP, "haproxy-check", Level.OK),
        (replace(UP, check="L4OK", fresh=True), "haproxy-check", Level.BAD),
        (replace(UP, check="* L4OK", fresh=False), "haproxy-check", Level.BAD),
        (replace(UP, checked=False, check="", fresh=None), "haproxy-check", Level.BAD),
        (replace(UP, fresh=None), "haproxy-fall", Level.WARN),
        (replace(UP, hushed=True, check="", fresh=None), "haproxy-hushed", Level.WARN),
        (replace(UP, up=False, status="DOWN", check="L4CON"), "haproxy-check", Level.OK),
        (replace(UP, up=False, status="DOWN", check="L4CON"), "haproxy-state", Level.WARN),
        (replace(UP, admin=Admin.MAINT, check="", fresh=None), "haproxy-state", Level.WARN),
        (replace(UP, admin=Admin.MAINT, check="", fresh=None), "haproxy-check", Level.UNKNOWN),
        (replace(UP, capacity=None), "haproxy-maxconn", Level.WARN),
    ],
)
def test_each_server_is_judged(row: Row, code: str, level: Level) -> None:
    assert levels(row)[code] is level


def test_a_well_server_has_nothing_to_mend() -> None:
    assert levels(UP) == {"haproxy-check": Level.OK}


def test_servers_and_nodes_must_be_the_same() -> None:
    other = replace(UP, name="node2")
    assert levels(UP, other)["haproxy-server-stranger"] is Level.WARN
    assert levels(UP, wanted=("node1", "node2"))["haproxy-server-missing"] is Level.BAD


@pytest.mark.parametrize(
    ("version", "level", "expected"),
    [
        ("2.6.12", "admin", [Level.OK, Level.OK]),
        ("3.2.1-dev", "admin", [Level.OK, Level.OK]),
        ("2.4.0", "operator", [Level.OK, Level.BAD]),
        ("1.8.30", "admin", [Level.WARN, Level.OK]),
        ("?", "user", [Level.WARN, Level.BAD]),
    ],
)
def test_version_and_level_are_judged(version: str, level: str, expected: list[Level]) -> None:
    seen = Survey("h", Process(1, "", version), level, {})
    assert [finding.level for finding in haproxy.process(seen)] == expected


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        (look(UP), look(UP), Level.OK),
        (look(UP), look(), Level.BAD),
        (look(UP), look(replace(UP, address="127.0.0.1:9090")), Level.BAD),
        (look(UP), look(UP, version="3.0.1"), Level.WARN),
        (look(UP), look(replace(UP, admin=Admin.MAINT)), Level.WARN),
    ],
)
def test_several_haproxies_must_be_alike(
    one: BackendLook, other: BackendLook, level: Level
) -> None:
    (found,) = haproxy.alike({"a": one, "b": other})
    assert found.level is level
    assert haproxy.alike({"a": one}) == []


# --- who else listens ----------------------------------------------------------------------------

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
        ({"111": "haproxy (pid 1)", "222": "haproxy (pid 1)"}, Level.OK),
        ({"111": "haproxy (pid 1)", "222": "haproxy (pid 2)"}, Level.BAD),
        ({}, Level.UNKNOWN),
    ],
)
def test_a_second_process_on_the_port_is_told(owners: dict[str, str], level: Level) -> None:
    (found,) = listeners.shared("h", listeners.listening(TABLE, {8080}), owners)
    assert found.level is level


def test_the_worst_comes_first() -> None:
    found = [Finding(level, level, "w", "t") for level in (Level.OK, Level.UNKNOWN, Level.BAD)]
    assert [one.level for one in worst_first(found)] == [Level.BAD, Level.UNKNOWN, Level.OK]
