"""The neighbours as seen and damaged from outside: HAProxy's rows, the app's answers, kills."""

import contextlib
import csv
import os
import signal
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bigred_server.demo.config import APP
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.tomcat.instance import TomcatInstance

_DEADLINE_S = 5.0


@dataclass(frozen=True)
class Row:
    """A server in HAProxy's `show stat`; `requests` counts all that it has ever received."""

    status: str
    in_flight: int
    requests: int


def worker(haproxy: HaproxyInstance) -> int:
    """Return the process id of HAProxy's worker. Raises OSError if it does not answer."""
    lines = ask(haproxy, "show info").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))


def ask(haproxy: HaproxyInstance, command: str) -> str:
    """Return the answer to a command of the Runtime API. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_DEADLINE_S)
        line.connect(str(haproxy.admin_socket))
        line.sendall(f"{command}\n".encode())
        with line.makefile("r", encoding="utf-8") as answer:
            return answer.read()


def rows(haproxy: HaproxyInstance) -> dict[str, Row]:
    """Return the row of each node. Raises OSError if HAProxy does not answer."""
    table = csv.DictReader(ask(haproxy, "show stat").removeprefix("# ").splitlines())
    return {
        row["svname"]: Row(row["status"], int(row["scur"]) + int(row["qcur"]), int(row["stot"]))
        for row in table
        if row["pxname"] == APP and row["svname"] != "BACKEND"
    }


def serving(
    haproxies: Iterable[HaproxyInstance], nodes: dict[str, TomcatInstance]
) -> dict[str, str]:
    """Return the release that each node in the pool of every HAProxy reports."""
    tables = [rows(haproxy) for haproxy in haproxies]
    found = {}
    for name, tomcat in nodes.items():
        if all(table[name].status.startswith("UP") for table in tables):
            found[name] = release(tomcat)
    return found


def release(tomcat: TomcatInstance) -> str:
    """Return the release that the app reports on the node's own port; "" without a good answer."""
    try:
        answer = httpx2.get(
            f"http://127.0.0.1:{tomcat.port}/shop/health", timeout=_DEADLINE_S, trust_env=False
        )
    except httpx2.HTTPError:
        return ""
    return answer.headers.get("X-Release", "") if answer.status_code == httpx2.codes.OK else ""


def kill(tomcat: TomcatInstance, name: str, haproxies: Iterable[HaproxyInstance]) -> int | None:
    """Kill a Tomcat with SIGKILL; return how many requests may have been in flight there.

    These are the requests unanswered at a look before its death, and those that it received between
    that look and the next, after its death. None if there was nothing to kill.
    """
    process = jvm(tomcat)
    if process is None:
        return None
    asked = tuple(haproxies)
    before = [rows(haproxy)[name] for haproxy in asked]
    os.kill(process, signal.SIGKILL)
    after = [rows(haproxy)[name] for haproxy in asked]
    return sum(
        was.in_flight + now.requests - was.requests for was, now in zip(before, after, strict=True)
    )


def jvm(tomcat: TomcatInstance) -> int | None:
    """Return the process id of a Tomcat, or None if it is not running."""
    mark = f"-Dcatalina.base={tomcat.base.resolve()}".encode()
    with contextlib.suppress(OSError, ValueError):
        process = int((tomcat.base / "pid").read_text())
        if mark in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
            return process
    return None
