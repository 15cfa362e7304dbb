"""HAProxy and Tomcat as this project sets them up: a careful restart costs nobody anything."""

import contextlib
import csv
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from bigred_broker.program import free_port, wait_until
from bigred_server.demo.sample import build
from bigred_server.demo.samples import counts, failures, read
from bigred_server.haproxy.configuration import Backend
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.tomcat.instance import TomcatInstance


def ask(haproxy: HaproxyInstance, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(5)
        line.connect(str(haproxy.admin_socket))
        line.sendall(f"{command}\n".encode())
        return line.makefile().read()


def row(haproxy: HaproxyInstance, node: str) -> dict[str, str]:
    rows = csv.DictReader(ask(haproxy, "show stat").removeprefix("# ").splitlines())
    return next(one for one in rows if (one["pxname"], one["svname"]) == ("shop", node))


def drained(haproxy: HaproxyInstance, node: str) -> bool:
    now = row(haproxy, node)
    return now["scur"] == now["qcur"] == "0"


def freshly_checked(haproxy: HaproxyInstance, node: str) -> bool:
    now = row(haproxy, node)
    whole = int(now["check_rise"]) + int(now["check_fall"]) - 1
    seen = (now["status"], now["check_status"], int(now["check_health"]))
    return seen == ("DRAIN", "L7OK", whole)


def release(tomcat: TomcatInstance) -> str | None:
    try:
        answer = httpx2.get(f"http://127.0.0.1:{tomcat.port}/shop/health")
    except httpx2.TransportError:
        return None
    return answer.headers["X-Release"] if answer.status_code == 200 else None


def replace(haproxy: HaproxyInstance, tomcat: TomcatInstance, war: Path, version: str) -> None:
    node = tomcat.base.name
    ask(haproxy, f"set server shop/{node} state maint")
    wait_until(lambda: drained(haproxy, node), 15, f"{node} is drained")
    subprocess.run(tomcat.stop_command, timeout=20, check=True)
    shutil.copy(war, tomcat.webapps / "shop.war")
    subprocess.run(tomcat.start_command, timeout=10, check=True)
    wait_until(lambda: release(tomcat) == version, 20, f"{node} has release {version}")
    ask(haproxy, f"set server shop/{node} state drain")
    wait_until(lambda: freshly_checked(haproxy, node), 5, f"{node} was checked")
    ask(haproxy, f"set server shop/{node} state ready")
    wait_until(lambda: row(haproxy, node)["status"] == "UP", 5, f"{node} is up")


def nothing(_: HaproxyInstance) -> None:
    pass


@pytest.mark.parametrize("disturb", [nothing, HaproxyInstance.reload])
def test_a_rolling_restart_costs_no_request(
    tmp_path: Path, disturb: Callable[[HaproxyInstance], None]
) -> None:
    nodes = [TomcatInstance(tmp_path / name, free_port()) for name in ("n1", "n2")]
    servers = tuple((tomcat.base.name, tomcat.port) for tomcat in nodes)
    haproxy = HaproxyInstance(
        tmp_path / "haproxy", free_port(), Backend("shop", servers, "/shop/health")
    )
    url = f"http://127.0.0.1:{haproxy.port}/shop"
    out = tmp_path / "traffic"
    old, new = (build(tmp_path / "wars", version) for version in ("1.0", "2.0"))
    with contextlib.ExitStack() as house:
        for tomcat in nodes:
            tomcat.create()
            shutil.copy(old, tomcat.webapps / "shop.war")
            subprocess.run(tomcat.start_command, timeout=10, check=True)
            house.callback(subprocess.run, tomcat.stop_command, timeout=20, check=True)
        for tomcat in nodes:
            wait_until(lambda tomcat=tomcat: release(tomcat) == "1.0", 20, "release 1.0 is live")  # type: ignore[misc]
        house.enter_context(haproxy.run())
        argv = [sys.executable, "-m", "bigred_server.demo.traffic", "--url", url]
        argv += ["--rate", "100", "--slow", "2", "--max-seconds", "60", "--out", str(out)]
        traffic = subprocess.Popen(argv)
        house.callback(traffic.wait, 10)
        house.callback(traffic.terminate)
        wait_until(lambda: out.exists() and out.stat().st_size > 0, 10, "the traffic has begun")
        for tomcat in nodes:
            replace(haproxy, tomcat, new, "2.0")
            disturb(haproxy)
        assert httpx2.get(f"{url}/health").headers["X-Release"] == "2.0"
    seen = read(out.with_name("traffic.samples"))
    assert failures(seen) == []
    assert counts(seen).requests > 100
