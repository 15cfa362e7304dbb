"""HAProxy's configuration file: a backend's settings from its defaults, frontends and itself."""

from pathlib import Path

import pytest

from bigred_server.haproxy.config_proxy import Proxy, duration_ms
from bigred_server.haproxy.config_text import ProcessFacts
from bigred_server.haproxy.configfile import backend
from bigred_server.haproxy.configuration import BackendConfig, configuration


def read(text: str, name: str = "shop", **environment: str) -> Proxy:
    found = backend(text, name, ProcessFacts(environment, "2.6.12"))
    assert found is not None
    return found


def test_our_own_configuration_is_read() -> None:
    ours = BackendConfig("shop", (("n1", 1), ("n2", 2)), "/shop/health", sticky_cookie="NODE")
    found = read(configuration(8080, ours, Path("/a.sock"), Path("/states")))
    assert found.check_path == "/shop/health"
    assert found.option("redispatch") == ("1",)
    assert found.last("retry-on") == ("conn-failure", "empty-response")
    assert found.idle_ms == 30_000
    assert found.binds == ("127.0.0.1:8080",)
    assert [server.name for server in found.servers] == ["n1", "n2"]
    assert found.servers[0].value("pool-purge-delay") == "100ms"
    assert ("server-state-file", "/states") in found.world


@pytest.mark.parametrize(
    ("text", "tries"),
    [
        ("defaults\n retries 1\nbackend shop\n", "1"),
        ("defaults\n retries 1\nbackend shop\n retries 2\n", "2"),
        ("defaults\n retries 1\ndefaults\n retries 2\nbackend shop\n", "2"),
        ("defaults\n retries 1\nbackend shop\ndefaults\n retries 2\n", "1"),
        ("defaults a\n retries 1\ndefaults b\n retries 2\nbackend shop from a\n", "1"),
        ("defaults a\n retries 1\ndefaults b from a\n mode http\nbackend shop from b\n", "1"),
        ("defaults\n retries 1 # not 2\n# retries 3\nbackend shop\n", "1"),
        ("backend other\n retries 1\nbackend shop\n retries 2\nbackend x\n retries 3\n", "2"),
        ("listen shop\n bind :80\n retries 4\n", "4"),
        ('defaults\n retries "5"\nbackend shop\n', "5"),
    ],
)
def test_the_line_that_counts_is_found(text: str, tries: str) -> None:
    assert read(text).last("retries") == (tries,)


@pytest.mark.parametrize(
    ("lines", "option"),
    [
        ("option redispatch", ()),
        ("option redispatch 1", ("1",)),
        ("option redispatch 1\n no option redispatch", None),
        ("no option redispatch\n option redispatch 3", ("3",)),
        ("option redispatch\n default option redispatch", None),
        ("mode http", None),
    ],
)
def test_an_option_is_set_and_unset(lines: str, option: tuple[str, ...] | None) -> None:
    assert read(f"backend shop\n {lines}\n").option("redispatch") == option


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("option httpchk", ""),
        ("option httpchk /up", "/up"),
        ("option httpchk GET /up HTTP/1.1", "/up"),
        ("option httpchk\n http-check send meth GET uri /up ver HTTP/1.1 hdr Host a", "/up"),
        ("option httpchk GET /old\n http-check send uri /up", "/up"),
        ("mode tcp", ""),
    ],
)
def test_the_path_of_the_check_is_found(lines: str, path: str) -> None:
    assert read(f"backend shop\n {lines}\n").check_path == path


def test_only_the_frontends_that_lead_there_count() -> None:
    text = """\
frontend a
    bind :80,:81
    default_backend shop
frontend b
    bind *:82 ssl crt /x.pem
    use_backend shop if { path_beg /shop }
frontend c
    bind :83
    default_backend other
backend shop
backend other
"""
    assert read(text).binds == (":80", ":81", "*:82")


def test_a_servers_words_follow_those_of_its_default() -> None:
    found = read("backend shop\n default-server fall 2 rise 1\n server a 1.2.3.4:80 check fall 5\n")
    assert found.servers[0].keywords == {"fall": "5", "rise": "1", "check": ""}


def test_a_backend_that_is_not_there_is_none() -> None:
    assert backend("frontend shop\n bind :80\n", "shop") is None
    assert backend("", "shop") is None


@pytest.mark.parametrize("text", ['backend shop\n log-format "unfinished\n', "backend\n", "\x00"])
def test_unknown_lines_do_not_crash(text: str) -> None:
    backend(text, "shop")


@pytest.mark.parametrize(
    ("text", "ms"),
    [("30s", 30_000), ("500", 500), ("500ms", 500), ("1m", 60_000), ("2h", 7_200_000), ("x", None)],
)
def test_times_are_read_in_milliseconds(text: str, ms: float | None) -> None:
    assert duration_ms(text) == ms
