"""The connections of the HTTP API: who makes way for whom, and what is too much to parse."""

import asyncio
import errno
import resource
from dataclasses import dataclass, field

import h11
import pytest
from structlog.testing import capture_logs

from bigred_server.settings import ApiSettings
from bigred_server.web import open_files, serve
from bigred_server.web.bounded_http import MOST_HEAD, MOST_HEADERS, BoundedHttp
from bigred_server.web.connections import Connections
from bigred_server.web.shortage import Shortage

HERE, ADA, BOB = "127.0.0.1", "192.0.2.1", "192.0.2.2"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


@dataclass(eq=False)
class Open:
    address: str
    since_s: float = 0.0
    is_answering: bool = False
    made_way: bool = field(default=False, init=False)

    def make_way(self) -> None:
        self.made_way = True


def opened(table: Connections, *connections: Open) -> list[bool]:
    return [table.add(one) for one in connections]


def test_the_oldest_connection_makes_way_at_the_limit() -> None:
    table = Connections(3, 3)
    old, older, new = Open("a", 2.0), Open("b", 1.0), Open("c", 3.0)
    assert all(opened(table, old, older, new, Open("d", 4.0)))
    assert [one.made_way for one in (old, older, new)] == [False, True, False]


def test_a_client_with_many_connections_displaces_only_its_own() -> None:
    table = Connections(10, 10)
    bob = Open(BOB, 0.0)
    many = [Open(ADA, float(number)) for number in range(1, 251)]
    assert all(opened(table, bob, *many))
    assert not bob.made_way
    assert sum(one.made_way for one in many) == 241


def test_a_request_that_is_being_answered_never_makes_way() -> None:
    table = Connections(2, 2)
    asked = [Open("a", is_answering=True), Open("b", is_answering=True)]
    assert opened(table, *asked, Open("c")) == [True, True, False]
    assert not any(one.made_way for one in asked)
    table.remove(asked[0])
    assert table.add(Open("c"))


def test_one_address_has_its_own_limit() -> None:
    table = Connections(100, 2)
    bob, ada = Open(BOB), [Open(ADA, float(number)) for number in range(3)]
    assert all(opened(table, bob, *ada))
    assert [one.made_way for one in (bob, *ada)] == [False, True, False, False]


@pytest.mark.parametrize("address", [HERE, "127.0.0.9", "::1", "::ffff:127.0.0.1"])
def test_a_proxy_on_this_machine_has_only_the_limit_of_all(address: str) -> None:
    table = Connections(100, 2)
    many = [Open(address, float(number)) for number in range(100)]
    assert all(opened(table, *many))
    assert not any(one.made_way for one in many)
    assert table.add(Open(address, 100.0))
    assert [one.made_way for one in many] == [True] + [False] * 99


def test_a_connection_without_a_known_address_counts_like_any_other() -> None:
    table = Connections(100, 1)
    first = Open("")
    assert all(opened(table, first, Open("")))
    assert first.made_way


def test_a_connection_that_is_gone_takes_no_place() -> None:
    table = Connections(1, 1)
    first = Open("a")
    table.add(first)
    table.remove(first)
    table.remove(first)
    assert table.add(Open("b"))
    assert not first.made_way
    assert Connections(1, 1).make_room() is False


def events(received: bytes) -> int:
    """Return how many events there are; raises h11.RemoteProtocolError."""
    read = BoundedHttp()
    read.receive_data(received)
    count = 0
    while read.next_event() not in (h11.NEED_DATA, h11.PAUSED):
        count += 1
    return count


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * MOST_HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 2 * MOST_HEAD,
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * MOST_HEAD + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: a\r\n" * MOST_HEADERS + b"\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 2 * MOST_HEAD,
    ],
    ids=["path", "endless path", "header", "headers", "chunk extension"],
)
def test_a_head_has_a_limit_also_if_it_arrives_at_once(head: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError) as raised:
        events(head)
    assert raised.value.error_status_hint == 431


def test_a_body_in_tiny_chunks_is_refused_before_it_costs_much() -> None:
    with pytest.raises(h11.RemoteProtocolError) as raised:
        events(POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 2_000)
    assert raised.value.error_status_hint == 413


@pytest.mark.parametrize(("size", "count"), [(1, 900), (512, 20_000)])
def test_other_chunked_bodies_are_read(size: int, count: int) -> None:
    chunk = f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"
    whole = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * count + b"0\r\n\r\n"
    assert events(whole) == count + 2


@dataclass
class Failure:
    number: int

    def context(self) -> dict[str, object]:
        return {"message": "socket.accept() out of system resource", "exception": self.error}

    @property
    def error(self) -> OSError:
        return OSError(self.number, "Too many open files")


async def test_a_shortage_of_files_is_reported_once_and_makes_room() -> None:
    table = Connections(100, 100)
    idle = [Open(HERE, float(number)) for number in range(20)]
    opened(table, *idle)
    shortage, loop = Shortage(table), asyncio.get_running_loop()
    with capture_logs() as lines, shortage.handled(loop):
        for _ in range(100):
            loop.call_exception_handler(Failure(errno.EMFILE).context())
    assert [line["log_level"] for line in lines] == ["error"]
    assert "no more files can be opened" in lines[0]["event"]
    assert [one.made_way for one in idle] == [True] * 10 + [False] * 10
    assert loop.get_exception_handler() is None


async def test_another_error_of_the_event_loop_is_reported_as_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    with Shortage(Connections(1, 1)).handled(loop):
        loop.call_exception_handler(Failure(errno.EPIPE).context())
    assert "out of system resource" in caplog.text


@pytest.mark.parametrize(("soft", "hard", "raised"), [(256, 4096, 1024), (256, 512, 512)])
def test_the_limit_on_open_files_is_raised_as_far_as_select_allows(
    soft: int, hard: int, raised: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: given.append(both))
    assert open_files.raise_limit() == raised
    assert given == [(raised, hard)]


def test_a_higher_limit_on_open_files_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4096, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: pytest.fail("it was set"))
    assert open_files.raise_limit() == 4096


def test_connections_leave_files_for_everything_else() -> None:
    assert open_files.room(open_files.needed(200)) == 200
    assert open_files.room(1024) >= 800
    assert open_files.room(64) == 10


def test_too_few_files_for_the_connections_are_reported_with_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    with capture_logs() as lines:
        assert serve._most(ApiSettings(most_connections=100)) == 56
    (line,) = lines
    assert "set LimitNOFILE=300" in line["event"]
    assert (line["open_files"], line["connections"]) == (256, 56)
