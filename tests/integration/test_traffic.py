import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from bigred_broker.program import free_port, is_listening, wait_until
from bigred_server.demo.sample import build
from bigred_server.demo.samples import Kind, Sample, counts, latency, read
from bigred_server.tomcat.instance import TomcatInstance


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("shop")
    tomcat = TomcatInstance(folder / "node", free_port())
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
        wait_until(lambda: bool(lines(out)), 10, "the traffic has begun")
        yield child
        child.terminate()
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.wait(5)


def lines(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def samples(out: Path) -> list[Sample]:
    return read(out.with_name(f"{out.name}.samples"))


def test_every_kind_of_customer_is_served(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    begin = time.monotonic()
    with traffic(shop, out, "--rate", "50", "--slow", "1"):
        wait_until(lambda: lines(out)[-1]["requests"] > 60, 10, "60 requests were counted")
    seen = samples(out)
    assert counts(seen).failed == 0
    assert {one.kind for one in seen} == set(Kind)
    assert {one.outcome for one in seen} == {"200", "201"}
    assert latency(seen) is not None
    assert all(begin < one.start_s < time.monotonic() for one in seen)
    assert lines(out)[-1]["requests"] == len(seen)


def test_the_asked_rate_is_kept(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    with traffic(shop, out, "--rate", "100", "--slow", "0"):
        wait_until(lambda: len(lines(out)) > 3, 10, "three seconds were counted")
    first, last = lines(out)[0], lines(out)[-2]
    rate = (last["requests"] - first["requests"]) / (last["t"] - first["t"])
    assert rate == pytest.approx(100, rel=0.1)


def test_it_ends_by_itself(shop: str, tmp_path: Path) -> None:
    with traffic(shop, tmp_path / "traffic", "--max-seconds", "0.5", "--slow", "0") as child:
        assert child.wait(10) == 0
    assert samples(tmp_path / "traffic")


def test_a_closed_port_is_a_failure_and_told(tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    with traffic(f"http://127.0.0.1:{free_port()}/shop", out, "--rate", "20", "--slow", "1"):
        wait_until(lambda: lines(out)[-1]["requests"] > 10, 10, "10 requests were counted")
    seen = samples(out)
    assert counts(seen).failed == len(seen) == lines(out)[-1]["failed"]
    assert all(one.outcome.startswith("ConnectError") for one in seen)


def test_an_answer_of_another_page_is_a_failure(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "traffic"
    with traffic(f"{shop}/nothing", out, "--rate", "20", "--slow", "1"):
        wait_until(lambda: lines(out)[-1]["requests"] > 10, 10, "10 requests were counted")
    assert {one.outcome for one in samples(out)} >= {"WrongAnswerError: status 404 instead of 200"}
    assert not any(one.ok for one in samples(out))
    assert httpx2.get(f"{shop}/nothing/").status_code == 404
