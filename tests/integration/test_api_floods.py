"""Clients that are slow, silent, broken or many: they keep nobody else from the HTTP API."""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.api_site import DEADLINE_S, ApiSite, bearer

from bigred_broker.program import wait_until

pytestmark = pytest.mark.alone

ANSWERED_S = 1.0
HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half"
WEBHOOK = b"POST /api/v1/apps/shop/webhooks/github HTTP/1.1\r\nHost: x\r\n"
HEAD = b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n"
MANY = 250
NO_FILES = "no more files can be opened"


@pytest.fixture
def site(tmp_path: Path) -> ApiSite:
    made = ApiSite(tmp_path)
    made.write()
    return made


def connect(site: ApiSite, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), DEADLINE_S, (address, 0))


@contextlib.contextmanager
def half_open(site: ApiSite, addresses: list[str], count: int = MANY) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for number in range(count):
            line = connect(site, addresses[number % len(addresses)])
            stack.enter_context(contextlib.closing(line))
            line.sendall(HALF)
        yield


def asked(site: ApiSite, path: str = "/healthz") -> tuple[int, float]:
    """Return the status of a request on a connection of its own, and the seconds that it took."""
    begun_s = time.monotonic()
    with site.http("viewer") as http:
        status = http.get(path).status_code
    return status, time.monotonic() - begun_s


def files(process: int) -> int:
    """Return how many files it has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def sockets(process: int) -> int:
    """Return how many sockets it has open; the journal's files do not count."""
    count = 0
    for file in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(file.readlink()).startswith("socket:")
    return count


def received(line: socket.socket) -> bytes:
    """Return everything until the server closes the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := line.recv(65_536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.2"], [f"127.0.0.{number}" for number in range(2, 52)]],
    ids=["one client", "fifty clients"],
)
def test_half_open_requests_keep_nobody_out(site: ApiSite, addresses: list[str]) -> None:
    with site.listening(), half_open(site, addresses):
        for _ in range(5):
            status, taken_s = asked(site, "/api/v1/apps")
            assert status == 200
            assert taken_s < ANSWERED_S


def test_a_request_that_has_begun_is_answered_although_many_others_come(site: ApiSite) -> None:
    with site.listening(), contextlib.closing(connect(site, "127.0.0.99")) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        with half_open(site, ["127.0.0.2"]):
            line.sendall(b"\r\n")
            assert received(line).startswith(b"HTTP/1.1 200 ")


def test_tiny_chunks_without_a_token_do_not_slow_the_server_down(site: ApiSite) -> None:
    with site.listening(), contextlib.closing(connect(site)) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(WEBHOOK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500_000)
        status, taken_s = asked(site)
        assert status == 200
        assert taken_s < ANSWERED_S


NOT_UNDERSTOOD = [
    (b"\x00\x01\r\n\r\n", b"400", b"this is not valid HTTP/1.1"),
    (b"\x16\x03\x01\x02\x00\x01", b"400", b"this is not valid HTTP/1.1"),
    (b"GET /\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n", b"400", b"this is not valid HTTP/1.1"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400", b"this is not valid HTTP/1.1"),
    (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431", b"limit of 16384"),
    (WEBHOOK + b"Transfer-Encoding: gzip\r\n\r\n", b"501", b"only 'chunked' is known"),
    (WEBHOOK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400", b"not valid HTTP/1.1"),
    (WEBHOOK + b"Content-Length: 99999999\r\n\r\n", b"413", b"limit of 5242880 bytes"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400", b""),
    (HEAD + b"X: y\r\n" * 150 + b"\r\n", b"431", b""),
]


def test_what_is_not_understood_gets_one_sentence_and_no_line_in_the_log(site: ApiSite) -> None:
    with site.listening():
        before = site.log()
        for sent, status, sentence in NOT_UNDERSTOOD:
            with contextlib.closing(connect(site)) as line:
                line.sendall(sent)
                head, _, body = received(line).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 " + status)
            assert b"application/json" in head
            # An answer to HEAD has no body.
            assert body.startswith(b'{"error":"') if sentence else not body
            assert sentence in body
        assert asked(site)[0] == 200
        assert "uvicorn" not in site.log()[len(before) :]
    assert "Traceback" not in site.log()


def test_what_follows_a_head_request_and_is_not_understood_gets_its_sentence(site: ApiSite) -> None:
    with site.listening(), contextlib.closing(connect(site)) as line:
        line.sendall(HEAD + b"\r\n\x00\r\n\r\n")
        answers = received(line)
    assert answers.count(b"HTTP/1.1 ") == 2
    assert answers.endswith(b'{"error":"this is not valid HTTP/1.1"}')


def test_a_client_that_leaves_in_the_middle_of_a_body_leaves_nothing_behind(site: ApiSite) -> None:
    begun = [
        WEBHOOK + b"Content-Length: 20\r\n\r\n12",
        WEBHOOK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12",
        b"POST /api/v1/apps/shop/commits HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n"
        b"Content-Type: application/json\r\n"
        b"Authorization: " + bearer("operator")["Authorization"].encode() + b"\r\n\r\n{",
    ]
    with site.listening() as server:
        assert asked(site)[0] == 200
        before = sockets(server.pid)
        for sent in begun * 10:
            with contextlib.closing(connect(site)) as line:
                line.sendall(sent)
        assert asked(site)[0] == 200
        wait_until(lambda: sockets(server.pid) <= before + 2, DEADLINE_S, "they are closed")
        with site.http("viewer") as http:
            assert http.get("/api/v1/apps/shop/builds").json() == []
    assert "Traceback" not in site.log()


def limit_files(process: int, soft: int) -> None:
    _, hard = resource.prlimit(process, resource.RLIMIT_NOFILE)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (soft, hard))


def test_without_free_files_the_api_says_so_once_and_goes_on(site: ApiSite) -> None:
    with site.listening() as server:
        before = files(server.pid)
        with half_open(site, ["127.0.0.2"], 20):
            wait_until(lambda: files(server.pid) >= before + 20, DEADLINE_S, "all are accepted")
            limit_files(server.pid, before + 20)
            with half_open(site, ["127.0.0.3"], 10):
                wait_until(lambda: NO_FILES in site.log(), DEADLINE_S, "it says so")
                lines = len(site.log().splitlines())
                assert asked(site)[0] == 200
                assert len(site.log().splitlines()) < lines + 10
        limit_files(server.pid, before + 100)
        wait_until(lambda: asked(site)[1] < ANSWERED_S, DEADLINE_S, "it recovers")
    assert site.log().count(NO_FILES) == 1
    assert "Traceback" not in site.log()


def test_a_server_that_can_open_no_file_at_all_lives_on(site: ApiSite) -> None:
    with site.listening() as server:
        limit_files(server.pid, 10)
        # The loop of the app opens files at each look at its nodes.
        wait_until(lambda: "Too many open files" in site.log(), DEADLINE_S, "a look failed")
        limit_files(server.pid, 1_000)
        wait_until(lambda: asked(site)[1] < ANSWERED_S, DEADLINE_S, "it recovers")
        assert server.poll() is None
    assert "Traceback" not in site.log()
