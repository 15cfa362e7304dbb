"""HAProxy's configuration file as HAProxy reads it: words, variables, conditions, unknowns."""

from collections.abc import Mapping

import pytest

from bigred_server.haproxy.config_conditions import evaluate
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.haproxy.config_text import NOTHING_KNOWN, ProcessFacts, read
from bigred_server.haproxy.config_words import split
from bigred_server.haproxy.configfile import backend
from bigred_server.haproxy.server_words import server_words

VARIABLES = {"A": "one", "LIST": "a b c", "EMPTY": ""}


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (r"tcp-check send GET\ /a\ HTTP/1.0\r\n", ("tcp-check", "send", "GET /a HTTP/1.0\r\n")),
        (r"a\#b #c", ("a#b",)),
        ("a#b", ("a",)),
        ('a"b c"d', ("ab cd",)),
        ("'$A \\n \"'", ('$A \\n "',)),
        (r'"a\"b" \x41', ('a"b', "A")),
        (r'"^a\.b$"', (r"^a\.b$",)),
        ('""', ("",)),
        ('"open', ("open",)),
        ('x "$A" "${A}/y" $A', ("x", "one", "one/y", "$A")),
        ('"${NONE-text}" "${A-text}" "${EMPTY-text}" "${NONE}"', ("text", "one", "", "")),
        ('retry-on "${LIST[*]}"', ("retry-on", "a", "b", "c")),
        ('"${LIST}"', ("a b c",)),
        ("", ()),
    ],
)
def test_a_line_is_split_as_haproxy_does_it(line: str, words: tuple[str, ...]) -> None:
    assert split(line, VARIABLES.get) == words


# --- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("", False),
        ("0", False),
        ("1", True),
        ("-2", True),
        ("!1", False),
        ("defined(A)", True),
        ("defined(B)", False),
        ("!defined(B) && defined(A)", True),
        ("streq(x,x)", True),
        ("streq(a b,a b)", True),
        ("strneq(x,y) && (0 || 1)", True),
        ("version_atleast(2.4)", True),
        ("version_atleast(2.6.13)", False),
        ("version_before(3.0)", True),
        ("version_before(2.6-dev9)", False),
        ("feature(OPENSSL)", None),
        ("feature(OPENSSL) && 0", False),
        ("feature(OPENSSL) || 1", True),
        ("!feature(OPENSSL)", None),
        ("enabled(POLL)", None),
        ("what_is_this(x)", None),
        ("1 &&", None),
        ("(1", None),
        ("a new syntax", None),
    ],
)
def test_a_condition_is_true_false_or_unknown(condition: str, value: bool | None) -> None:
    assert evaluate(condition, lambda name: name in VARIABLES, "2.6.12-1+deb12u4") is value


def test_the_version_is_unknown_where_nobody_knows_it() -> None:
    assert evaluate("version_atleast(1.0)", lambda _name: False, "") is None


# --- which lines count ---------------------------------------------------------------------------

NESTED = """\
.if defined(A)
  a
  .if 0
    b
  .elif streq("$A",one)
    c
  .elif 1
    d
  .else
    e
  .endif
  f
.else
  .if 1
    g
  .endif
.endif
.notice "h"
i
"""


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"A": "one"}, "acfi"), ({"A": "two"}, "adfi"), ({}, "gi")],
)
def test_only_the_part_that_holds_counts(environment: Mapping[str, str], words: str) -> None:
    found = read(NESTED, ProcessFacts(environment), {})
    assert "".join(line[0] for line in found.lines) == words
    assert (found.conditions, found.variables) == ((), ())


def test_what_nobody_knows_is_named() -> None:
    text = '.if feature(LUA) # why\na "${X}"\n.endif\nb "${Y-z}" "${.LINE}"\n'
    found = read(text, ProcessFacts(), {})
    assert (found.conditions, found.variables) == ((".if feature(LUA)",), ("Y",))
    found = read(text, ProcessFacts(), {".if feature(LUA)": True})
    assert found.lines == (("a", "${X}"), ("b", "${Y}", ".LINE"))
    found = read('.if streq("$X",1)\n.endif\n', ProcessFacts(), {})
    assert (found.conditions, found.variables) == (('.if streq("$X",1)',), ())


def test_variables_that_the_file_sets_hold_from_there_on() -> None:
    text = 'a "$X" "$Y"\nsetenv X 1\npresetenv Y 2\nb "$X" "$Y"\nunsetenv X\nc "$X"\n'
    found = read(text, ProcessFacts({"X": "1"}), {})
    assert found.lines[0] == ("a", "${X}", "")  # before that line, nobody knows
    assert ("b", "1", "2") in found.lines
    assert found.lines[-1] == ("c", "")
    assert found.variables == ("X",)


# --- every way in which the file may have been read ----------------------------------------------


def readings(text: str, facts: ProcessFacts = NOTHING_KNOWN) -> list[Proxy]:
    found = backend(text, "shop", facts)
    assert found is not None
    return [found, *found.others]


def test_an_unknown_condition_leaves_both_readings() -> None:
    text = "backend shop\n.if feature(X)\n retries 1\n.else\n retries 2\n.endif\n"
    first, *others = readings(text)
    assert {one.last("retries") for one in (first, *others)} == {("1",), ("2",)}
    assert first.open == ("`.if feature(X)`",)


def test_a_condition_has_one_value_wherever_it_stands() -> None:
    part = ".if feature(X)\n {} 1\n.endif\n"
    text = "backend shop\n" + part.format("retries") + part.format("maxconn")
    assert all(
        (one.last("retries") is None) is (one.last("maxconn") is None) for one in readings(text)
    )


def test_many_unknown_conditions_stay_few_readings() -> None:
    text = "backend shop\n" + "".join(
        f".if feature(X{n})\n retries {n}\n.endif\n" for n in range(30)
    )
    assert len(readings(text)) <= 64


def test_an_unknown_variable_is_tried_with_what_matters() -> None:
    found = readings('backend shop\n retries "${N}"\n')
    assert found[0].last("retries") == ("${N}",)
    assert found[0].open == ("`${N}`",)
    assert ("0",) in {one.last("retries") for one in found}


def test_a_known_environment_leaves_one_reading() -> None:
    text = 'backend shop\n retries "${N}"\n.if defined(N)\n option redispatch\n.endif\n'
    (found,) = readings(text, ProcessFacts({"N": "5"}, "2.6"))
    assert (found.last("retries"), found.option("redispatch"), found.open) == (("5",), (), ())


def test_a_frontend_that_computes_the_backend_may_lead_there() -> None:
    text = """\
frontend a
  bind :80
  default_backend shop
frontend b
  bind :81
  use_backend %[req.hdr(host),map(/x)]
backend shop
"""
    first, other = readings(text)
    assert [[one.name for one in reading.fronts] for reading in (first, other)] == [
        ["a"],
        ["a", "b"],
    ]
    assert first.open == ("`use_backend` of b",)
    (only,) = readings(text.replace("  default_backend shop\n", ""))
    assert [one.name for one in only.fronts] == ["b"]


# --- sections ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fronts"),
    [
        ("defaults\n default_backend shop\nfrontend a\nbackend shop\n", ["a"]),
        ("frontend a\n default_backend x\n default_backend shop\nbackend shop\n", ["a"]),
        ("frontend a\n default_backend shop\n default_backend x\nbackend shop\n", []),
        ("frontend a\n disabled\n default_backend shop\nbackend shop\n", []),
        ("listen a\n use_backend shop if TRUE\n server x 1.1.1.1:1\nbackend shop\n", ["a"]),
        ("listen shop\n bind :80\n", ["shop"]),
    ],
)
def test_the_frontends_that_lead_to_a_backend(text: str, fronts: list[str]) -> None:
    (found,) = readings(text)
    assert [one.name for one in found.fronts] == fronts


def test_the_servers_of_a_listen_that_leads_there_are_not_ours() -> None:
    text = (
        "listen a\n default_backend shop\n server x 1.1.1.1:1\nbackend shop\n server y 1.1.1.1:2\n"
    )
    assert [one.name for one in readings(text)[0].servers] == ["y"]


def test_a_frontend_has_the_lines_of_its_own_defaults() -> None:
    text = """\
defaults one
  option idle-close-on-response
  timeout client 7s
defaults two
  no option idle-close-on-response
frontend a from one
  default_backend shop
backend shop from two
"""
    found = readings(text)[0]
    assert found.fronts[0].option("idle-close-on-response") == ()
    assert found.option("idle-close-on-response") is None
    assert found.idle_ms == 7000


@pytest.mark.parametrize(
    "section",
    ["peers p", "userlist u", "crt-store c", "traces", "ring r", "log-profile l", "acme x"],
)
def test_lines_of_other_sections_are_not_a_backends(section: str) -> None:
    assert readings(f"backend shop\n{section}\n retries 0\n")[0].last("retries") is None


# --- servers -------------------------------------------------------------------------------------


def test_a_default_server_holds_for_the_servers_below_it() -> None:
    lines = (
        ("server", "a", "1.1.1.1:1", "check"),
        ("default-server", "agent-check", "fall", "2"),
        ("server", "b", "1.1.1.1:1", "no-agent-check", "cookie", "check"),
        ("default-server", "fall", "3"),
        ("server-template", "c", "1-3", "x:80", "check", "inter", "1s"),
    )
    a, b, c = server_words(lines)
    assert a.keywords == {"check": ""}
    assert b.keywords == {"fall": "2", "cookie": "check"}
    assert c.keywords == {"agent-check": "", "fall": "3", "check": "", "inter": "1s"}
    assert [one.is_template for one in (a, b, c)] == [False, False, True]


# --- checks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "uri"),
    [
        ("option httpchk GET /a\n option tcp-check", ""),
        ("option tcp-check\n option httpchk GET /a", "/a"),
        ("option httpchk GET http://x/a?b=c", "/a?b=c"),
        ("option httpchk\n http-check send meth GET uri-lf /a", "/a"),
        (r"option httpchk HEAD /a HTTP/1.1\r\nHost:\ x", "/a"),
        (r"option tcp-check\n tcp-check send GET\ /a\ HTTP/1.0\r\n".replace(r"\n t", "\n t"), "/a"),
        ("option tcp-check\n tcp-check send-lf GET\\ /a", "/a"),
        ("option tcp-check\n tcp-check send PING", ""),
        ("option external-check", ""),
        ("option httpchk OPTIONS * HTTP/1.1", ""),
    ],
)
def test_what_the_checks_request_is_found(lines: str, uri: str) -> None:
    assert readings(f"backend shop\n {lines}\n server a 1.1.1.1:1 check\n")[0].check_uri == uri


def test_the_checks_of_the_tracked_servers_count() -> None:
    text = """\
backend shop
  server a 1.1.1.1:1 track b/a
backend b
  server a 1.1.1.1:1 track c/a
backend c
  option httpchk GET /c
  server a 1.1.1.1:1 check
"""
    found = readings(text)[0]
    assert [one.name for one in found.checkers] == ["c"]
    assert found.check_uri == "/c"


def test_servers_that_track_each_other_do_not_hang() -> None:
    text = (
        "backend shop\n server a 1.1.1.1:1 track b/a\nbackend b\n server a 1.1.1.1:1 track shop/a\n"
    )
    assert readings(text)[0].check_uri == ""
