"""Runs a program for as long as a block: on a free port, until ready, and stopped for certain.

For the demo and the tests, which start Mosquitto, HAProxy and Tomcat themselves. In production
these belong to the machine's own init and are never touched from here.
"""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

# Below Linux's ephemeral range (32768 and up): an outgoing connection can never occupy a port
# whose listener is being restarted.
_PORTS = range(12_000, 32_000)
_given_out: set[int] = set()


class ProgramError(RuntimeError):
    """A program is missing, did not start, or did not become ready in time."""


class Child(Protocol):
    """A process that we started: what is used of `subprocess.Popen`."""

    def poll(self) -> int | None: ...  # noqa: D102
    def wait(self, timeout: float | None = None) -> int: ...  # noqa: D102
    def send_signal(self, sig: int, /) -> None: ...  # noqa: D102
    def kill(self) -> None: ...  # noqa: D102


def free_port() -> int:
    """Return a free loopback TCP port, never the same one twice in a process."""
    for _ in range(200):
        port = random.SystemRandom().choice(_PORTS)
        if port in _given_out:
            continue
        with socket.socket() as probe:
            # As a server binds: a port in TIME_WAIT counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_out.add(port)
        return port
    raise ProgramError("no free TCP port found between 12000 and 32000 on 127.0.0.1")


def is_listening(port: int) -> bool:
    """Return whether something accepts TCP connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def find_program(name: str, package: str) -> str:
    """Find an executable, also in /usr/sbin. Raises ProgramError with its Debian package."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise ProgramError(f"{name} is not installed; install the package {package}")
    return found


def wait_until(
    ready: Callable[[], bool], deadline_s: float, what: str, every_s: float = 0.02
) -> None:
    """Return as soon as `ready()`, asked every `every_s`, is true.

    Raises ProgramError with `what` at the deadline.
    """
    end = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > end:
            raise ProgramError(f"{what}: still not true after {deadline_s:g} s")
        time.sleep(every_s)


@contextlib.contextmanager
def running(
    name: str, argv: Sequence[str], log: Path, ready: Callable[[], bool], deadline_s: float = 20.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; its output goes to `log`.

    Raises ProgramError with the tail of the log if it ends early or is not ready in time.
    """
    with log.open("ab") as output:
        # A session of its own: on Ctrl-C we stop our programs in the right order.
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    with attended(name, child, log, ready, deadline_s):
        yield child


@contextlib.contextmanager
def attended(
    name: str, child: Child, log: Path, ready: Callable[[], bool], deadline_s: float
) -> Iterator[None]:
    """Wait until a started program is ready, and stop it when the block ends; as `running`."""
    try:
        wait_until(lambda: child.poll() is not None or ready(), deadline_s, f"{name} is ready")
        if (code := child.poll()) is not None:
            raise ProgramError(f"{name} exited at once with {code}:\n{tail(log)}")
        yield
    finally:
        stop(child)


def stop(child: Child, patience_s: float = 5.0) -> None:
    """Stop a program with SIGTERM, then SIGKILL after `patience_s`; it may have ended already."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log file, or "" if there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
