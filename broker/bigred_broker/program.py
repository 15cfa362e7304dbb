"""A program started beside ours: on a free port, waited for, and surely gone afterwards.

For the demo and the tests, which start Mosquitto, HAProxy and Tomcat themselves. Production
programs belong to the machine's own init and are never touched from here.
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

# Below Linux's ephemeral range (32768 and up): an outgoing connection can never sit on a port
# whose listener is just being restarted.
_PORTS = range(12_000, 32_000)
_handed_out: set[int] = set()


class ProgramError(RuntimeError):
    """A program is missing, did not start, or did not become ready in time."""


def free_port() -> int:
    """Give a loopback TCP port that nobody listens on, never the same one twice in a process."""
    for _ in range(200):
        port = random.SystemRandom().choice(_PORTS)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            # As a server would bind: a port that is merely in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise ProgramError("no free TCP port found between 12000 and 32000 on 127.0.0.1")


def is_listening(port: int) -> bool:
    """Say whether something accepts TCP connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def find_program(name: str, package: str) -> str:
    """Find an executable, also in /usr/sbin; name the Debian package when it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise ProgramError(f"{name} is not installed; install the package {package}")
    return found


def wait_until(ready: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Return as soon as `ready()` is true; raise ProgramError naming `what` at the deadline."""
    end = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > end:
            raise ProgramError(f"{what}: not so after {deadline_s:g} s")
        time.sleep(0.02)


@contextlib.contextmanager
def running(
    name: str, argv: Sequence[str], log: Path, ready: Callable[[], bool], deadline_s: float = 20.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; its output goes to `log`.

    Raises ProgramError with the tail of the log when it ends early or is not ready in time.
    """
    with log.open("ab") as output:
        # A session of its own: a Ctrl-C at the terminal is answered by us, in our order.
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until(lambda: child.poll() is not None or ready(), deadline_s, f"{name} is ready")
        if child.poll() is not None:
            raise ProgramError(f"{name} ended with {child.returncode} at once:\n{tail(log)}")
        yield child
    finally:
        stop(child)


def stop(child: subprocess.Popen[bytes], patience_s: float = 5.0) -> None:
    """End a program: SIGTERM, then SIGKILL when its patience is over. Ended already is fine."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def tail(log: Path, lines: int = 15) -> str:
    """Give the last lines of a log file, or an empty text when there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
