"""The stage: a whole site on free loopback ports in a temporary folder, and a box beside it.

Mosquitto, HAProxy, Tomcats with release 1.0.0 of the sample shop, the deploy server and the box's
agent, all real. `set_up` gives it, and leaves no process, port or file behind.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_broker import mosquitto, program
from bigred_broker.settings import BrokerSettings
from bigred_server.demo import config, sample, sweep
from bigred_server.haproxy.configuration import Backend
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.tomcat.instance import TomcatInstance

FIRST = "1.0.0"
_START_DEADLINE_S = 60.0
_LONGEST_PARENT = 50

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """Where everything is."""

    folder: Path
    port: int
    broker: BrokerSettings
    haproxy: HaproxyInstance
    nodes: dict[str, TomcatInstance]

    @property
    def url(self) -> str:
        """The shop as its customers see it."""
        return f"http://127.0.0.1:{self.port}/shop"

    @property
    def config(self) -> Path:
        """The server's configuration file."""
        return self.folder / "bigred.toml"

    @property
    def button(self) -> Path:
        """The UNIX socket that sets the simulated button."""
        return self.folder / "button.sock"

    def log(self, name: str) -> Path:
        """Where a program of the stage writes its log."""
        return self.folder / f"{name}.log"

    def bigred(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a verb of the `bigred` command, as ops would; its output is captured."""
        command = [sys.executable, "-m", "bigred_server", *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    @contextlib.contextmanager
    def server(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the deploy server until the block ends."""
        command = [sys.executable, "-m", "bigred_server", "server", "--config", str(self.config)]
        log = self.log("server")
        begin = log.stat().st_size if log.exists() else 0
        with program.running(
            "the deploy server", command, log, lambda: b"connected to" in _since(log, begin)
        ) as child:
            yield child

    @contextlib.contextmanager
    def box(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the box with a simulated button until the block ends."""
        address = f"{self.broker.host}:{self.broker.port}"
        where = ["--name", config.BOX, "--broker", address, "--simulated", str(self.button)]
        # The box is a program of its own; the server knows it by its command alone.
        command = [str(Path(sys.executable).with_name("bigred-agent")), "run", *where]
        with program.running("the box", command, self.log("box"), self.button.exists) as child:
            yield child

    def set_button(self, word: str) -> None:
        """Set the simulated button: `open`, `close`, `press` and what else its socket knows."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5.0)
            line.connect(str(self.button))
            line.sendall(f"{word}\n".encode())
            answer = line.recv(100).decode().strip()
        if answer != "ok":
            raise program.ProgramError(f"the simulated button answers {answer!r} to {word!r}")

    def build(self, version: str, kind: sample.Kind = sample.Kind.GOOD) -> Path:
        """Build a release of the shop."""
        return sample.build(self.folder / "wars", version, kind)


@contextlib.contextmanager
def set_up(nodes: int, say: Say) -> Iterator[Stage]:
    """Set the stage: the site on release 1.0.0 with server and box; `say` tells of progress.

    Raises ProgramError when something is missing or does not start.
    """
    for name in ("mosquitto", "haproxy"):
        program.find_program(name, name)
    with _folder() as folder, contextlib.ExitStack() as stack:
        say("building the sample shop with javac")
        (folder / "wars").mkdir()
        war = sample.build(folder / "wars", FIRST)
        say(f"starting Mosquitto, HAProxy and {nodes} Tomcats with release {FIRST}")
        broker = stack.enter_context(mosquitto.running(folder / "mqtt", program.free_port()))
        tomcats = {f"node{number}": _tomcat(folder, number) for number in range(1, nodes + 1)}
        _start_all(tomcats, war)
        servers = tuple((name, tomcat.port) for name, tomcat in tomcats.items())
        backend = Backend(config.APP, servers, "/shop/health")
        haproxy = HaproxyInstance(folder / "haproxy", program.free_port(), backend)
        stack.enter_context(haproxy.run())
        stage = Stage(folder, haproxy.port, broker, haproxy, tomcats)
        stage.config.write_text(
            config.configuration(folder / "state", broker.port, haproxy.admin_socket, tomcats)
        )
        yield stage


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # The path of a UNIX socket takes 107 bytes, and ours lie three levels below.
    parent = tempfile.gettempdir()
    parent = parent if len(parent) <= _LONGEST_PARENT else "/tmp"  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix="bigred-", dir=parent)).resolve()
    watchman = sweep.post_watchman(folder)
    # Temporary files of what runs on the stage belong to the stage, and go with it.
    with _environment({sweep.MARK: str(folder), "TMPDIR": str(folder)}):
        try:
            yield folder
        finally:
            sweep.sweep(folder)
            # Nothing is left to sweep for him; he goes when his pipe is closed.
            watchman.communicate(timeout=30)


@contextlib.contextmanager
def _environment(added: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tomcat(folder: Path, number: int) -> TomcatInstance:
    return TomcatInstance(folder / f"node{number}", program.free_port())


def _start_all(tomcats: dict[str, TomcatInstance], war: Path) -> None:
    # Each start returns at once, so all of them start side by side. Without threads: whoever
    # interrupts the demo must not wait for one that waits for a Tomcat.
    for tomcat in tomcats.values():
        tomcat.create()
        (tomcat.webapps / f"{config.APP}.war").write_bytes(war.read_bytes())
        _run(tomcat.start_command)
    for tomcat in tomcats.values():
        program.wait_until(
            lambda port=tomcat.port: program.is_listening(port),  # type: ignore[misc]
            _START_DEADLINE_S,
            f"the Tomcat in {tomcat.base} answers (see its logs/catalina.out)",
        )


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, check=True, timeout=30, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip() or "it printed nothing"
        raise program.ProgramError(
            f"{' '.join(command)} ended with {error.returncode}: {said}"
        ) from error


def _since(log: Path, begin: int) -> bytes:
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(begin)
        return file.read()
