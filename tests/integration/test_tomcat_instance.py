import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from bigred_broker.program import ProgramError, free_port, is_listening, wait_until
from bigred_server.demo.sample import build
from bigred_server.tomcat import class_data
from bigred_server.tomcat.instance import TomcatInstance


@pytest.fixture(scope="module")
def war(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wars"), "1.0")


@pytest.fixture
def tomcat(tmp_path: Path, war: Path) -> Iterator[TomcatInstance]:
    instance = TomcatInstance(
        tmp_path / "a node", free_port(), stop_patience_s=8, class_data=class_data.option()
    )
    instance.create()
    shutil.copy(war, instance.webapps / "shop.war")
    yield instance
    for pid in jvms(instance):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not jvms(instance), 5, "every JVM of the test is gone")


def do(command: tuple[str, ...]) -> int:
    # capture_output waits until no process holds the pipes any more, so also for a JVM.
    return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode


def jvms(tomcat: TomcatInstance) -> list[int]:
    mark = f"-Dcatalina.base={tomcat.base.resolve()}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


def answers(tomcat: TomcatInstance) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{tomcat.port}/shop/health").status_code == 200
    except httpx2.TransportError:
        return False


def start(tomcat: TomcatInstance) -> None:
    assert do(tomcat.start_command) == 0
    wait_until(lambda: answers(tomcat), 20, "the shop answers")


def slow_request(tomcat: TomcatInstance, ms: int) -> httpx2.Response:
    return httpx2.get(f"http://127.0.0.1:{tomcat.port}/shop/slow?ms={ms}", timeout=15)


def busy(tomcat: TomcatInstance) -> bool:
    # Tomcat's end of a connection: established (01), accepted (it has an inode), all input read.
    # Java's sockets are IPv6 ones, whatever their address, unless the machine has no IPv6.
    for table in Path("/proc/net").glob("tcp*"):
        for line in table.read_text().splitlines():
            _, local, _, state, queues, _, _, _, _, inode, *_ = line.split(maxsplit=10)
            if local.endswith(f":{tomcat.port:04X}") and state == "01":
                return inode != "0" and queues.endswith(":00000000")
    return False


def test_it_starts_and_stops_and_reports_whether_it_runs(tomcat: TomcatInstance) -> None:
    assert do(tomcat.running_command) != 0
    start(tomcat)
    assert do(tomcat.running_command) == 0
    assert do(tomcat.stop_command) == 0
    assert do(tomcat.running_command) != 0
    assert not is_listening(tomcat.port)
    assert do(tomcat.stop_command) == 0


def test_the_jvm_is_known_as_soon_as_start_returns(tomcat: TomcatInstance) -> None:
    assert do(tomcat.start_command) == 0
    assert do(tomcat.running_command) == 0


def test_starting_a_running_tomcat_does_nothing(tomcat: TomcatInstance) -> None:
    start(tomcat)
    before = jvms(tomcat)
    assert do(tomcat.start_command) == 0
    assert jvms(tomcat) == before
    assert len(before) == 1


def test_many_starts_at_once_give_one_jvm(tomcat: TomcatInstance) -> None:
    with ThreadPoolExecutor(8) as callers:
        assert set(callers.map(do, [tomcat.start_command] * 8)) == {0}
    assert len(jvms(tomcat)) == 1


def test_a_start_killed_in_the_middle_leaves_one_jvm_or_none(tomcat: TomcatInstance) -> None:
    for delay_ms in range(0, 16, 2):
        caller = subprocess.Popen(tomcat.start_command, start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            caller.wait(delay_ms / 1000)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(caller.pid, signal.SIGKILL)
        caller.wait(5)
        assert do(tomcat.start_command) == 0
        assert len(jvms(tomcat)) == 1
        assert do(tomcat.stop_command) == 0
        assert jvms(tomcat) == []


def test_another_process_with_the_same_pid_is_not_mistaken_for_tomcat(
    tomcat: TomcatInstance,
) -> None:
    (tomcat.base / "pid").write_text(f"{os.getpid()}\n")
    assert do(tomcat.running_command) != 0
    assert do(tomcat.stop_command) == 0
    assert do(tomcat.start_command) == 0
    assert len(jvms(tomcat)) == 1


def test_a_request_in_flight_is_answered_and_a_new_one_is_refused(
    tomcat: TomcatInstance,
) -> None:
    start(tomcat)
    with ThreadPoolExecutor(2) as callers:
        request = callers.submit(slow_request, tomcat, 4000)
        wait_until(lambda: busy(tomcat), 5, "the request is in flight")
        stop = callers.submit(do, tomcat.stop_command)
        wait_until(lambda: not is_listening(tomcat.port), 5, "the port is closed")
        assert not request.done()
        assert request.result().text == "slept 4000 ms\n"
        assert stop.result() == 0


def test_a_start_after_a_killed_stop_gives_a_new_jvm(tomcat: TomcatInstance) -> None:
    start(tomcat)
    before = jvms(tomcat)
    with ThreadPoolExecutor(1) as callers:
        request = callers.submit(slow_request, tomcat, 4000)
        wait_until(lambda: busy(tomcat), 5, "the request is in flight")
        stop = subprocess.Popen(tomcat.stop_command)
        wait_until(lambda: not is_listening(tomcat.port), 5, "the JVM is stopping")
        stop.kill()
        stop.wait(5)
        start(tomcat)
        assert request.result().status_code == 200
    assert len(jvms(tomcat)) == 1
    assert jvms(tomcat) != before


def test_a_jvm_that_does_not_end_is_killed(tomcat: TomcatInstance) -> None:
    impatient = TomcatInstance(tomcat.base, tomcat.port, stop_patience_s=1)
    impatient.create()
    start(impatient)
    os.kill(jvms(impatient)[0], signal.SIGSTOP)
    begin = time.monotonic()
    assert do(impatient.stop_command) == 0
    assert 1.0 <= time.monotonic() - begin < 5.0
    assert jvms(impatient) == []


def test_it_listens_on_one_loopback_address_only(tomcat: TomcatInstance) -> None:
    start(tomcat)
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", tomcat.port)) != 0


def test_a_missing_tomcat_is_reported_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="tomcat10-common"):
        TomcatInstance(tmp_path / "node", free_port(), home=tmp_path).create()


def test_a_missing_java_is_reported_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match="default-jdk-headless"):
        TomcatInstance(tmp_path / "node", free_port()).create()


def test_its_script_runs_while_another_process_still_holds_it_open(tmp_path: Path) -> None:
    tomcat = TomcatInstance(tmp_path / "node", free_port())
    tomcat.create()
    # Like a child that another thread forked while the script was being written.
    with (tmp_path / "node" / "tomcat").open("ab"):
        assert subprocess.run(tomcat.running_command, timeout=10, check=False).returncode == 1
