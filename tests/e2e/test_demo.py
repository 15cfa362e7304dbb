"""`bigred demo` as newcomers run it: unattended, by hand, interrupted, or lacking programs."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bigred_broker.program import stop, wait_until
from bigred_server.demo import cleanup

BIGRED = Path(sys.executable).with_name("bigred")
DEADLINE_S = 200.0
RECEIPT = {
    *("outcome", "release", "nodes", "seconds", "requests", "failed", "retried", "latency_ms"),
    *("lid_to_armed_ms", "press_to_accepted_ms", "per_node"),
}
NODE = {
    *("name", "seconds", "fetch_s", "drain_s", "stop_s", "start_s", "check_s"),
    *("sessions", "sessions_lost"),
}
BAD = ("does-not-start", "answers-500", "wrong-release")


@dataclass(frozen=True)
class Demo:
    """A running demo, and the folder with all of its temporary files."""

    process: "subprocess.Popen[bytes]"
    home: Path

    @property
    def output(self) -> str:
        return (self.home / "output").read_text()

    def until(self, text: str, deadline_s: float = DEADLINE_S) -> None:
        def said() -> bool:
            assert self.process.poll() is None, self.output
            return text in self.output

        wait_until(said, deadline_s, f"the demo says {text!r}; it said:\n{self.output}")

    def ended(self, deadline_s: float = DEADLINE_S) -> int:
        return self.process.wait(deadline_s)

    def receipt(self) -> dict[str, object]:
        read: dict[str, object] = json.loads((self.home / "receipt.json").read_text())
        return read


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Return a function that starts demos, each with its own folder for temporary files."""
    with contextlib.ExitStack() as rig:

        def start(*arguments: str) -> Demo:
            home = tmp_path / str(len(list(tmp_path.iterdir())))
            (home / "tmp").mkdir(parents=True)
            with (home / "output").open("wb") as output:
                process = subprocess.Popen(
                    [BIGRED, "demo", *arguments, "--json", home / "receipt.json"],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, "TMPDIR": short(home, rig), "PYTHONUNBUFFERED": "1"},
                )
            rig.callback(stop, process, patience_s=20)
            return Demo(process, home)

        yield start


def short(home: Path, rig: contextlib.ExitStack) -> str:
    """Return a folder for temporary files with a name short enough for the sockets in it."""
    folder = tempfile.mkdtemp(prefix="demo-")
    rig.callback(shutil.rmtree, folder)
    (home / "where").write_text(folder)
    return folder


def temporary(demo: Demo) -> Path:
    return Path((demo.home / "where").read_text())


def folder_of(demo: Demo) -> Path:
    """Return the demo site's folder, as soon as it exists."""
    wait_until(lambda: any(temporary(demo).glob("bigred-*")), 20, "the demo site has a folder")
    return next(temporary(demo).glob("bigred-*"))


def alive(process: int) -> bool:
    """Return whether a process runs; a zombie does not, because it has closed everything."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def in_folder(folder: Path) -> list[int]:
    """Return the processes with the demo site's mark or folder, like the watchdog."""
    named = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                named.append(int(entry.name))
    return [one for one in {*named, *cleanup.marked(folder)} if alive(one)]


def listening(processes: list[int]) -> set[int]:
    """Return the TCP ports on which these processes listen."""
    sockets = set()
    for process in processes:
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{process}/fd").iterdir():
                with contextlib.suppress(OSError):
                    sockets.add(link.readlink().name)
    found = set()
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]  # Java's are in the second
    for line in [line for table in tables for line in table.read_text().splitlines()[1:]]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
            found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def bound(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def assert_nothing_left(folder: Path, ports: set[int]) -> None:
    wait_until(
        lambda: not in_folder(folder) and not folder.exists(),
        20,
        f"{folder} is cleaned up",
    )
    assert [port for port in ports if bound(port)] == []
    assert list(folder.parent.glob("*")) == []


def requests_a_second(output: str) -> float:
    """Return the rate from the first request to the final count, as the demo printed it."""
    begun = re.search(r"^ *([\d.]+)  sending", output, re.MULTILINE)
    counted = re.search(r"^ *([\d.]+)  (\d+) requests so far", output, re.MULTILINE)
    assert begun, output
    assert counted, output
    return int(counted[2]) / (float(counted[1]) - float(begun[1]))


@pytest.mark.alone  # its rate is measured
def test_the_demo_succeeds_and_leaves_nothing_behind(demo: Callable[..., Demo]) -> None:
    running = demo("--once")
    folder = folder_of(running)
    running.until("the lid is lifted")
    ports = listening(in_folder(folder))
    assert len(ports) >= 5, "Mosquitto, HAProxy and three Tomcats listen"
    assert running.ended() == 0, running.output
    receipt = running.receipt()
    assert set(receipt) == RECEIPT
    assert (receipt["outcome"], receipt["release"], receipt["nodes"]) == ("succeeded", "1.1.0", 3)
    assert receipt["failed"] == 0
    assert isinstance(receipt["per_node"], list)
    assert [set(node) for node in receipt["per_node"]] == [NODE] * 3
    assert isinstance(receipt["latency_ms"], dict)
    assert list(receipt["latency_ms"]) == ["before", "during", "after"]
    assert all(set(span) == {"p50", "p99", "max"} for span in receipt["latency_ms"].values())
    assert requests_a_second(running.output) >= 200
    assert_nothing_left(folder, ports)


def test_each_bad_release_is_rolled_back_and_no_request_fails(demo: Callable[..., Demo]) -> None:
    # At the same time, like two newcomers on one machine.
    running = {kind: demo("--once", "--nodes", "2", "--rate", "80", "--bad", kind) for kind in BAD}
    folders = [folder_of(one) for one in running.values()]
    for kind, one in running.items():
        assert one.ended() == 0, f"{kind}: {one.output}"
        receipt = one.receipt()
        assert (receipt["outcome"], receipt["failed"]) == ("rolled_back", 0), kind
        assert receipt["nodes"] == 2
    for folder in folders:
        assert_nothing_left(folder, set())


@pytest.mark.parametrize(
    "moment", ["starting Mosquitto", "node1: maint done"], ids=["at-its-start", "in-mid-deployment"]
)
def test_whatever_ends_the_demo_nothing_is_left(demo: Callable[..., Demo], moment: str) -> None:
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    running = {number: demo("--once", "--nodes", "2", "--rate", "50") for number in signals}
    for number, one in running.items():
        folder = folder_of(one)
        one.until(moment)
        wait_until(lambda folder=folder: len(in_folder(folder)) > 1, 20, "it has begun")  # type: ignore[misc]
        ports = listening(in_folder(folder))
        one.process.send_signal(number)
        expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
        assert one.ended(30) == expected, one.output
        assert "Traceback" not in one.output
        assert_nothing_left(folder, ports)


LACKING = """
import sys
from bigred_broker import program
from bigred_server.cli import main
lacking, which = sys.argv[1], program.shutil.which
program.shutil.which = lambda name, path=None: None if name == lacking else which(name, path=path)
sys.argv[1:] = ["demo", "--once"]
main()
"""


@pytest.mark.parametrize(
    ("lacking", "package"),
    [("mosquitto", "mosquitto"), ("haproxy", "haproxy"), ("javac", "default-jdk-headless")],
)
def test_what_is_missing_is_named_in_one_sentence(
    tmp_path: Path, lacking: str, package: str
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "JAVA_HOME"}
    done = subprocess.run(
        [sys.executable, "-c", LACKING, lacking],
        env={**environment, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"bigred: {lacking} is not installed; install the package {package}\n"
    assert list(tmp_path.iterdir()) == []


class Terminal:
    """A terminal of 80 columns and 24 lines, and everything written to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = b""
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def until(self, text: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until `text` is written, from now on."""
        self._written = b""
        end_s = time.monotonic() + deadline_s
        while text not in self.text:
            assert time.monotonic() < end_s, f"not seen: {text!r} in\n{self.text[-2000:]}"
            self._read()

    def drain(self) -> None:
        """Read what is left."""
        while self._read():
            pass

    @property
    def text(self) -> str:
        """Return what was written, without escape sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._written.decode(errors="replace"))

    def _read(self) -> bool:
        readable, _, _ = select.select([self._descriptor], [], [], 0.5)
        if not readable:
            return False
        try:
            got = os.read(self._descriptor, 65536)
        except OSError:  # the other side is closed
            return False
        self._written += got
        return bool(got)


def test_at_a_terminal_keys_control_the_demo(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with contextlib.ExitStack() as rig:
        rig.callback(os.close, ours)
        temporary = short(tmp_path, rig)
        # A box of the user's own in the current folder must not become that of the demo.
        (tmp_path / "agent.toml").write_text("[button]\nkind = 'of another kind'\n")
        terminal = Terminal(ours)
        before = termios.tcgetattr(theirs)
        process = subprocess.Popen(
            [BIGRED, "demo", "--nodes", "2", "--rate", "50"],
            cwd=tmp_path,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TMPDIR": temporary, "TERM": "xterm"},
            start_new_session=True,
        )
        rig.callback(stop, process, patience_s=20)
        terminal.until("building the sample shop", deadline_s=20)
        assert "█████████" in terminal.text, "a picture from the beginning"
        terminal.type("o ")  # too early: nobody has seen yet what they do
        terminal.until("q quit")
        terminal.until("Shop 1.1.0 is ready for launch")
        folder = next(Path(temporary).glob("bigred-*"))
        assert "Nothing has been deployed yet" in terminal.text
        terminal.type("\x1b[A")  # an arrow
        terminal.type("o")
        terminal.until("System is armed!")
        terminal.until("the lid is open")
        terminal.type(" ")
        terminal.until("deploying")
        terminal.until("1 of 2 nodes")
        terminal.until("Target reached!")
        terminal.until("1.1.0 is live on 2 nodes")
        terminal.type("Q")
        terminal.until("stopping the demo")
        receipt = terminal.text.rpartition("q quit")[2]
        assert "shop 1.1.0: succeeded on 2 nodes" in receipt
        assert "requests during the deployment: 0 failed" in receipt
        wait_until(lambda: drained(terminal, process), 20, "the demo ended")
        assert "requests, 0 failed" in terminal.text.rpartition("stopping the demo")[2]
        assert process.returncode == 0, terminal.text
        assert termios.tcgetattr(theirs) == before
        os.close(theirs)
        assert_nothing_left(folder, set())


def drained(terminal: Terminal, process: "subprocess.Popen[bytes]") -> bool:
    terminal.drain()
    return process.poll() is not None
