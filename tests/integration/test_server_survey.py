"""The survey of a HAProxy before anything is configured."""

from pathlib import Path

import pytest

from bigred_server.errors import HaproxyError
from bigred_server.haproxy.rows import address
from bigred_server.haproxy.survey import SurveyedServer, is_local, survey
from bigred_server.testing.haproxy import FakeHaproxy, FakeServer


async def test_backends_and_servers_are_listed_in_order(tmp_path: Path) -> None:
    servers = {"b": FakeServer(address="127.0.0.1:8081"), "a": FakeServer(address="[::1]:8082")}
    fake = FakeHaproxy(servers, level="operator", version="3.0.1")
    async with fake.listen(str(tmp_path / "admin.sock")) as at:
        seen = await survey(at)
    assert seen.backends == {
        "shop": (SurveyedServer("b", "127.0.0.1:8081"), SurveyedServer("a", "[::1]:8082"))
    }
    assert (seen.level, seen.process.version) == ("operator", "3.0.1")


async def test_the_file_of_a_remote_haproxy_is_never_taken_for_ours(
    tmp_path: Path,
) -> None:
    fake = FakeHaproxy({})  # no process here has its pid, as with a container
    async with fake.listen(str(tmp_path / "admin.sock")) as at:
        seen = await survey(at)
    assert seen.config is None
    assert "on another machine or in a container" in seen.unread


@pytest.mark.parametrize(
    "garbage", [b"", b"\n", b"HTTP/1.1 400 Bad request\r\n\r\n", b"a\n\nb\n\nc"]
)
async def test_something_other_than_haproxy_is_an_error(tmp_path: Path, garbage: bytes) -> None:
    fake = FakeHaproxy({}, garbage=garbage)
    async with fake.listen(str(tmp_path / "admin.sock")) as at:
        with pytest.raises(HaproxyError, match="an answer we can't read"):
            await survey(at)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"srv_addr": "192.0.2.1", "srv_port": "80", "srv_fqdn": "-"}, "192.0.2.1:80"),
        ({"srv_addr": "192.0.2.1", "srv_port": "80", "srv_fqdn": "app.example"}, "app.example:80"),
        ({"srv_addr": "::1", "srv_port": "80", "srv_fqdn": "-"}, "[::1]:80"),
        ({"srv_addr": "-", "srv_port": "0", "srv_fqdn": "-"}, ""),
        ({"srv_addr": "192.0.2.1", "srv_port": "0", "srv_fqdn": "-"}, ""),
        ({}, ""),
    ],
)
def test_a_servers_address_is_read(line: dict[str, str], expected: str) -> None:
    assert address(line) == expected


@pytest.mark.parametrize(
    ("at", "local"),
    [
        ("/run/haproxy/admin.sock", True),
        ("127.0.0.1:9999", True),
        (":9999", True),
        ("[::1]:9999", True),
        ("localhost:9999", True),
        ("192.0.2.1:9999", False),
        ("lb1:9999", False),
    ],
)
def test_an_address_is_local_or_remote(at: str, local: bool) -> None:
    assert is_local(at) is local
