import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from bigred_broker.program import free_port, is_listening, wait_until
from bigred_server.demo.request_log import RequestKind, RequestSample, counts, latency, read
from bigred_server.demo.sample import build
from bigred_server.demo.visit_log import VisitOutcome
from bigred_server.demo.visit_log import read as read_visits
from bigred_server.tomcat import class_data
from bigred_server.tomcat.instance import TomcatInstance

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("shop")
    tomcat = TomcatInstance(folder / "node", free_port(), class_data=class_data.option())
    tomcat.create()
    shutil.copy(build(folder, "1.0"), tomcat.webapps / "shop.war")
    subprocess.run(tomcat.start_command, timeout=10, check=True)
    try:
        wait_until(lambda: is_listening(tomcat.port), 20, "Tomcat listens")
        yield f"http://127.0.0.1:{tomcat.port}/shop"
    finally:
        subprocess.run(tomcat.stop_command, timeout=20, check=True)


@contextlib.contextmanager
def traffic(url: str, out: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "bigred_server.demo.traffic", "--url", url, "--out", str(out)]
    child = subprocess.Popen([*argv, "--max-seconds", "20", *options])
    try:
        wait_until(lambda: bool(lines(out)), DEADLINE_S, "the traffic has begun")
        yield child
        child.terminate()
        assert child.wait(DEADLINE_S) == 0
    finally:
        child.kill()
        child.wait(5)


def lines(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def samples(out: Path) -> list[RequestSample]:
    return read(out.with_name(f"{out.name}.samples"))


def test_all_kinds_of_customers_are_served(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    begin = time.monotonic()
    with traffic(shop, out, "--rate", "50", "--slow", "1", "--users", "2"):
        wait_until(lambda: lines(out)[-1]["requests"] > 60, DEADLINE_S, "60 requests were counted")
    seen = samples(out)
    assert counts(seen).failed == 0
    assert {one.kind for one in seen} == set(RequestKind)
    assert {one.outcome for one in seen} == {"200", "201"}
    assert latency(seen) is not None
    assert all(begin < one.start_s < time.monotonic() for one in seen)
    assert lines(out)[-1]["requests"] == len(seen)


@pytest.mark.alone  # its rate is measured
def test_the_requested_rate_is_kept(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    with traffic(shop, out, "--rate", "100", "--slow", "0"):
        wait_until(lambda: len(lines(out)) > 3, DEADLINE_S, "three seconds were counted")
    # From the requests themselves, because a line of counts may be late.
    begun_s = sorted(one.start_s for one in samples(out))
    rate = (len(begun_s) - 1) / (begun_s[-1] - begun_s[0])
    assert rate == pytest.approx(100, rel=0.1)


def test_it_ends_by_itself(shop: str, tmp_path: Path) -> None:
    with traffic(shop, tmp_path / "traffic", "--max-seconds", "0.5", "--slow", "0") as child:
        assert child.wait(DEADLINE_S) == 0
    assert samples(tmp_path / "traffic")


def test_a_closed_port_is_a_reported_failure(tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    with traffic(f"http://127.0.0.1:{free_port()}/shop", out, "--rate", "20", "--slow", "1"):
        wait_until(lambda: lines(out)[-1]["requests"] > 10, DEADLINE_S, "10 requests were counted")
    seen = samples(out)
    assert counts(seen).failed == len(seen) == lines(out)[-1]["failed"]
    assert all(one.outcome.startswith("ConnectError") for one in seen)


def test_an_answer_of_another_page_is_a_failure(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    with traffic(f"{shop}/nothing", out, "--rate", "20", "--slow", "1"):
        wait_until(lambda: lines(out)[-1]["requests"] > 10, DEADLINE_S, "10 requests were counted")
    assert {one.outcome for one in samples(out)} >= {"WrongAnswerError: status 404 instead of 200"}
    assert not any(one.ok for one in samples(out))
    assert httpx2.get(f"{shop}/nothing/").status_code == 404


def sessions(out: Path) -> list[tuple[int, int]]:
    return [(int(line["sessions"]), int(line["lost"])) for line in lines(out)]


def test_users_are_tracked_from_their_login_on(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    options = ("--rate", "10", "--slow", "0", "--users", "6", "--pause-s", "0.1")
    with traffic(shop, out, *options):
        wait_until(lambda: sessions(out)[-1] == (6, 0), DEADLINE_S, "all have logged in")
        wait_until(lambda: lines(out)[-1]["requests"] > 100, DEADLINE_S, "they have come back")
    visits = read_visits(out.with_name("traffic.visits"))
    assert [(visit.user, visit.fate) for visit in visits] == [
        (user, VisitOutcome.OPEN) for user in range(6)
    ]
    seen = [one for one in samples(out) if one.kind is RequestKind.SESSION]
    assert [one.outcome for one in seen].count("201") == 6
    assert counts(seen).failed == 0


def test_a_user_who_logs_out_is_replaced_by_a_new_one(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    options = ("--rate", "10", "--slow", "0", "--users", "3", "--pause-s", "0.1")
    with traffic(shop, out, *options, "--stay-s", "0.5"):
        wait_until(lambda: lines(out)[-1]["requests"] > 80, DEADLINE_S, "they have come and gone")
    visits = read_visits(out.with_name("traffic.visits"))
    # At the very end, all users may be between two visits.
    assert {visit.fate for visit in visits} <= {VisitOutcome.ENDED, VisitOutcome.OPEN}
    assert len([visit for visit in visits if visit.fate is VisitOutcome.ENDED]) >= 3
    assert all(visit.ended_s - visit.begun_s < 5 for visit in visits)
    assert counts(samples(out)).failed == 0


def test_a_lost_session_is_counted_once_and_is_not_a_failed_request(tmp_path: Path) -> None:
    with forgetful() as (url, forget):
        out = tmp_path / "traffic"
        options = ("--rate", "10", "--slow", "0", "--users", "4", "--pause-s", "0.1")
        with traffic(url, out, *options):
            wait_until(lambda: sessions(out)[-1] == (4, 0), DEADLINE_S, "all have logged in")
            forget("node2")
            wait_until(
                lambda: sessions(out)[-1] == (0, 4), DEADLINE_S, "all have lost their session"
            )
            forget("node1")
            before = lines(out)[-1]["requests"]
            wait_until(lambda: lines(out)[-1]["requests"] > before + 60, DEADLINE_S, "they went on")
    visits = read_visits(out.with_name("traffic.visits"))
    assert [(visit.fate, visit.node) for visit in visits] == [(VisitOutcome.LOST, "node1")] * 4
    seen = [one for one in samples(out) if one.kind is RequestKind.SESSION]
    assert counts(seen).failed == 0
    assert [one.outcome for one in seen].count("410") == 8


@contextlib.contextmanager
def forgetful() -> Iterator[tuple[str, Callable[[str], None]]]:
    """A shop without Tomcat, which can forget its sessions and rename its node immediately."""
    tokens: set[str] = set()
    node = ["node1"]

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            cookies = SimpleCookie(self.headers["Cookie"] or "")
            token = cookies["JSESSIONID"].value if "JSESSIONID" in cookies else ""
            known = self.path == "/shop/me" and token in tokens
            status = 200 if self.path == "/shop/" or known else 410
            self.say(status, token if known else "Release None is open.")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            if self.path == "/shop/order":
                self.say(201, f": {self.headers['Content-Length']} bytes")
                return
            token = uuid.uuid4().hex
            tokens.add(token)
            self.say(201, token, f"SRV={node[0]}; path=/", f"JSESSIONID={token}; Path=/shop")

        def say(self, status: int, text: str, *cookies: str) -> None:
            self.send_response(status)
            for cookie in cookies:
                self.send_header("Set-Cookie", cookie)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    def forget(new_node: str) -> None:
        node[0] = new_node
        tokens.clear()

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/shop", forget
        finally:
            server.shutdown()
            thread.join(5)
