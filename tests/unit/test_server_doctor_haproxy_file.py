"""The doctor's rules for HAProxy's file, one by one; the corpus shows them in whole files."""

import pytest
from tests.support.haproxy_corpus import judged

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.haproxy.config_text import NOTHING_KNOWN, ProcessFacts
from bigred_server.haproxy.configfile import backend

COOKIE = "cookie N insert\n server a 1.1.1.1:1 cookie a\n server b 1.1.1.1:1 cookie b\n"
TCP_CODES = {
    *("haproxy-mode", "haproxy-httpchk", "haproxy-redispatch", "haproxy-persist"),
    *("haproxy-state-file", "haproxy-marked-down", "haproxy-agent"),
}


def found(
    lines: str, code: str, context: str | None = None, facts: ProcessFacts = NOTHING_KNOWN
) -> Finding:
    proxy = backend(f"listen shop\n bind :80\n mode http\n {lines}\n", "shop", facts)
    return {one.code: one for one in judged(proxy, context)}[code]


@pytest.mark.parametrize(
    ("condition", "level"),
    [
        ("if TRUE", Severity.BAD),
        ("unless { src 192.0.2.0/24 }", Severity.UNKNOWN),
        ("unless { src 192.0.2.7 }", Severity.BAD),
        ("if { src 127.0.0.1 ::1 }", Severity.OK),
        ("if { src 0.0.0.0/0 }", Severity.BAD),
        ("if { src 192.0.2.7 } { path_beg /x }", Severity.OK),
        ("if { src 192.0.2.7 } or { path_beg /x }", Severity.BAD),
        ("if { src -f /etc/admins }", Severity.UNKNOWN),
        ("if METH_GET", Severity.BAD),
        ("if { req.hdr(host) -i shop.example }", Severity.BAD),
        ("if { req.hdr(X-Probe) -m found }", Severity.BAD),
        ("if { hdr(X-Probe) 5a1 }", Severity.OK),
        ("unless { hdr(X-Probe) 5a1 }", Severity.BAD),
        ("if { cook(preview) -m str 5a1 }", Severity.OK),
        ("if { http_auth(staff) }", Severity.OK),
        ("if { url_param(debug) -m str 1 }", Severity.BAD),
        ("if { var(txn.x) -m bool }", Severity.UNKNOWN),
        ("if unheard-of", Severity.UNKNOWN),
    ],
)
def test_force_persist_is_bad_if_users_can_fulfil_it(condition: str, level: Severity) -> None:
    finding = found(f"{COOKIE} force-persist {condition}", "haproxy-persist")
    assert finding.level is level, finding
    assert bool(finding.fix) is (level is not Severity.OK)


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ("", Severity.BAD),
        ("unless METH_GET", Severity.OK),
        ("unless METH_GET || METH_HEAD", Severity.OK),
        ("if !METH_GET !METH_HEAD", Severity.OK),
        ("if { method POST PUT PATCH DELETE }", Severity.OK),
        ("if { method -m str -i post put patch delete }", Severity.OK),
        ("if { method POST PUT }", Severity.WARN),
        ("if METH_POST or METH_PUT or METH_DELETE or { method PATCH }", Severity.OK),
        ("if METH_POST { path_beg /orders }", Severity.BAD),
        ("if METH_GET", Severity.BAD),
        ("unless { var(txn.safe) -m bool }", Severity.UNKNOWN),
        ("if { method -f /etc/methods }", Severity.UNKNOWN),
    ],
)
def test_what_is_sent_twice_depends_on_the_methods(rule: str, level: Severity) -> None:
    bar = f"http-request disable-l7-retry {rule}" if rule else ""
    finding = found(f"retry-on conn-failure empty-response\n {bar}", "haproxy-replay")
    assert finding.level is level, finding


@pytest.mark.parametrize(
    ("on", "level"),
    [
        ("conn-failure", Severity.OK),
        ("conn-failure 425 0rtt-rejected 408", Severity.OK),
        ("404", Severity.BAD),
        ("junk-response", Severity.BAD),
    ],
)
def test_what_is_sent_twice_depends_on_the_reason(on: str, level: Severity) -> None:
    assert found(f"retry-on {on}", "haproxy-replay").level is level


@pytest.mark.parametrize(
    ("lines", "context", "level"),
    [
        ("option httpchk GET /", "", Severity.OK),
        ("option httpchk", "", Severity.OK),
        ("option httpchk GET /", "/shop", Severity.WARN),
        ("option httpchk GET /", None, Severity.WARN),
        ("option httpchk GET /host-manager/text", None, Severity.WARN),
        ("option mysql-check user x", None, Severity.BAD),
        ("option tcp-check\n tcp-check expect string x", None, Severity.UNKNOWN),
    ],
)
def test_checks_must_ask_the_app(lines: str, context: str | None, level: Severity) -> None:
    finding = found(f"{lines}\n server a 1.1.1.1:1 check", "haproxy-httpchk", context)
    assert finding.level is level, finding


def test_the_fix_names_the_context_and_the_backend_with_the_checks() -> None:
    text = (
        "listen shop\n mode http\n server a 1.1.1.1:1 track b/a\n"
        "backend b\n mode http\n server a 1.1.1.1:1 check\n"
    )
    findings = {one.code: one for one in judged(backend(text, "shop"), "/books")}
    assert findings["haproxy-httpchk"].fix == (
        "set: `option httpchk GET /books/PATH` in the backend b"
    )


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        ("server a 1.1.1.1:1 pool-purge-delay 100", Severity.OK),
        ("server a 1.1.1.1:1 pool-purge-delay 5s", Severity.WARN),
        ("server a 1.1.1.1:1 pool-max-conn 0", Severity.OK),
        ("server a 1.1.1.1:1", Severity.WARN),
        ("option http-server-close\n server a 1.1.1.1:1", Severity.OK),
        ("no option httpclose\n server a 1.1.1.1:1", Severity.WARN),
    ],
)
def test_idle_connections_to_a_node_must_be_closed_soon(lines: str, level: Severity) -> None:
    assert found(lines, "haproxy-pool-purge").level is level


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        ("load-server-state-from-file local", Severity.OK),
        ("load-server-state-from-file global", Severity.WARN),
        ("", Severity.WARN),
    ],
)
def test_a_state_file_must_fit_where_it_is_loaded_from(lines: str, level: Severity) -> None:
    assert found(lines, "haproxy-state-file").level is level


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        ("server c 1.1.1.1:1 cookie a backup", Severity.OK),
        ("server c 1.1.1.1:1 backup", Severity.OK),
        ("server c 1.1.1.1:1 cookie a", Severity.BAD),
        ("server c 1.1.1.1:1", Severity.BAD),
    ],
)
def test_cookie_values_must_differ_between_nodes(lines: str, level: Severity) -> None:
    assert found(f"{COOKIE} {lines}", "haproxy-cookie-values").level is level


def test_in_tcp_mode_no_rule_for_http_applies() -> None:
    proxy = backend(
        "listen shop\n bind :80\n retries 0\n cookie N insert\n server a 1.1.1.1:1\n", "shop"
    )
    findings = {one.code: one for one in judged(proxy)}
    assert set(findings) == TCP_CODES
    assert findings["haproxy-mode"].level is Severity.BAD
    advice = " ".join(one.fix for one in findings.values())
    for word in ("retry-on", "l7-retry", "idle-close", "cookie", "pool-purge", "http-reuse"):
        assert word not in advice


def test_the_mode_that_haproxy_reports_counts_where_the_file_cannot_be_read() -> None:
    findings = {one.code: one for one in judged(None, mode="tcp")}
    assert set(findings) == TCP_CODES
    assert findings["haproxy-mode"].level is Severity.BAD
    assert findings["haproxy-redispatch"].level is Severity.UNKNOWN
    assert {one.code: one for one in judged(None, mode="http")}["haproxy-mode"].level is Severity.OK


@pytest.mark.parametrize(
    ("lines", "code", "unknown"),
    [
        ('http-reuse "${REUSE}"', "haproxy-reuse", "`${REUSE}`"),
        ('retries "${N-3}"', "haproxy-retry-on", "`${N}`"),
        (".if feature(X)\n option persist\n.endif\n cookie N insert", "haproxy-persist", "feature"),
        ('.if streq("$X",1)\n retries 0\n.endif', "haproxy-retry-on", 'streq("$X",1)'),
    ],
)
def test_what_cannot_be_evaluated_is_unknown_never_bad(lines: str, code: str, unknown: str) -> None:
    finding = found(lines, code)
    assert finding.level is Severity.UNKNOWN
    assert unknown in finding.text
    assert finding.fix.startswith("check by hand: ")


def test_what_cannot_be_evaluated_but_does_not_matter_is_judged() -> None:
    lines = '.if feature(X)\n retries 4\n.endif\n retry-on none\n server a "${HOST}:80"'
    assert found(lines, "haproxy-retry-on").level is Severity.BAD
    assert found(
        'option redispatch "${X-1}"\n no option redispatch', "haproxy-redispatch"
    ).level is (Severity.WARN)


def test_the_mode_may_be_unknown_too() -> None:
    proxy = backend('listen shop\n bind :80\n mode "${MODE}"\n', "shop")
    findings = {one.code: one.level for one in judged(proxy)}
    assert findings["haproxy-mode"] is Severity.UNKNOWN
    assert findings["haproxy-reuse"] is Severity.UNKNOWN
    assert findings["haproxy-redispatch"] is Severity.WARN
