"""The demo site: a whole site and a box on free loopback ports, in a temporary folder.

Mosquitto, HAProxy, Tomcats with release 1.0.0 of the sample shop, the deploy server and the box's
agent are all real. `set_up` yields the demo site, and leaves no process, port or file behind.
"""

import contextlib
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_broker import mosquitto, program
from bigred_broker.settings import BrokerSettings
from bigred_server.demo import config, sample, sandbox
from bigred_server.demo.options import DemoOptions
from bigred_server.demo.returning_users import STICKY
from bigred_server.haproxy.configuration import BackendConfig
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.tomcat import class_data
from bigred_server.tomcat.instance import ManagerUser, TomcatInstance

FIRST = "1.0.0"

Say = Callable[[str], None]
# Runs a verb of the `bigred` command until its block ends: what it is, the verb with its arguments,
# the log, and whether it is ready.
Runner = Callable[
    [str, Sequence[str], Path, Callable[[], bool]],
    contextlib.AbstractContextManager[program.Child],
]


@contextlib.contextmanager
def from_nothing(
    name: str, arguments: Sequence[str], log: Path, ready: Callable[[], bool]
) -> Iterator[program.Child]:
    """Run a verb as everybody does: by a Python of its own."""
    command = [sys.executable, "-m", "bigred_server", *arguments]
    with program.running(name, command, log, ready) as child:
        yield child


@dataclass(frozen=True)
class DemoSite:
    """The parts of a demo site, and where its files are."""

    folder: Path
    broker: BrokerSettings
    haproxies: tuple[HaproxyInstance, ...]
    nodes: dict[str, TomcatInstance]
    site: DemoOptions

    @property
    def haproxy(self) -> HaproxyInstance:
        """The first HAProxy; usually the only one."""
        return self.haproxies[0]

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of the shop for its customers, one per HAProxy."""
        return tuple(f"http://127.0.0.1:{haproxy.port}/shop" for haproxy in self.haproxies)

    @property
    def url(self) -> str:
        """The URL of the shop through the first HAProxy."""
        return self.urls[0]

    @property
    def config(self) -> Path:
        """The configuration file of the first server; usually the only one."""
        return self.config_of(self.site.servers[0])

    def config_of(self, server: str) -> Path:
        """Return the configuration file of a server."""
        is_first = server == self.site.servers[0]
        return self.folder / ("bigred.toml" if is_first else f"bigred-{server}.toml")

    @property
    def journal(self) -> str:
        """The SQLAlchemy URL of the servers' journal."""
        file = config.state(self.folder, self.site.servers[0], self.site) / "bigred.db"
        return (
            self.site.database.replace("postgresql:", "postgresql+psycopg:") or f"sqlite:///{file}"
        )

    @property
    def button(self) -> Path:
        """The UNIX socket that controls the simulated button."""
        return self.folder / "button.sock"

    def log(self, name: str) -> Path:
        """Return the log file of a program of the demo site."""
        return self.folder / f"{name}.log"

    def bigred(
        self, *arguments: str, server: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a `bigred` command next to a server, as ops would, and capture its output."""
        file = self.config_of(server or self.site.servers[0])
        command = [sys.executable, "-m", "bigred_server", *arguments, "--config", str(file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    @contextlib.contextmanager
    def server(
        self, name: str | None = None, run: Runner = from_nothing
    ) -> Iterator[program.Child]:
        """Run a deploy server, the first unless named, until the block ends."""
        server = name or self.site.servers[0]
        arguments = ("server", "--config", str(self.config_of(server)))
        log = self.log("server" if server == self.site.servers[0] else server)
        begin = log.stat().st_size if log.exists() else 0
        with run(
            "the deploy server", arguments, log, lambda: b"connected to" in _since(log, begin)
        ) as child:
            yield child

    @contextlib.contextmanager
    def box(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the box with a simulated button until the block ends."""
        address = f"{self.broker.host}:{self.broker.port}"
        where = ["--name", config.BOX, "--broker", address, "--simulated", str(self.button)]
        # A file of its own, so that it reads neither this machine's nor the current folder's.
        settings = self.folder / "agent.toml"
        settings.touch()
        where += ["--config", str(settings)]
        # The agent is a separate program: the server never imports it, and only runs its command.
        command = [str(Path(sys.executable).with_name("bigred-agent")), "run", *where]
        with program.running("the box", command, self.log("box"), self.button.exists) as child:
            yield child

    def set_button(self, word: str) -> None:
        """Set the simulated button: `open`, `close`, `press` or any other word of its socket."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5.0)
            line.connect(str(self.button))
            line.sendall(f"{word}\n".encode())
            answer = line.recv(100).decode().strip()
        if answer != "ok":
            raise program.ProgramError(f"the simulated button answered {answer!r} to {word!r}")

    def build(self, version: str, kind: sample.BuildKind = sample.BuildKind.GOOD) -> Path:
        """Build a release of the shop."""
        return sample.build(self.folder / "wars", version, kind)


@contextlib.contextmanager
def set_up(nodes: int, say: Say, site: DemoOptions | None = None) -> Iterator[DemoSite]:
    """Set up the demo site with the site on release 1.0.0; report progress to `say`.

    The caller starts server and box. Raise ProgramError if a program is missing or does not start.
    """
    site = site or DemoOptions()
    for name in ("mosquitto", "haproxy"):
        program.find_program(name, name)
    with sandbox.folder() as folder, contextlib.ExitStack() as stack:
        say("building the sample shop with javac")
        (folder / "wars").mkdir()
        war = sample.build(folder / "wars", FIRST)
        say(f"starting Mosquitto, HAProxy and {nodes} Tomcats with release {FIRST}")
        broker = stack.enter_context(mosquitto.running(folder / "mqtt", program.free_port()))
        tomcats = _tomcats(folder, nodes, site)
        sandbox.start_all(tomcats, war)
        servers = tuple((name, tomcat.port) for name, tomcat in tomcats.items())
        sticky = STICKY if site.sticky else None
        # By UDP: while a server is busy, it buffers a thousand times as much as a UNIX socket.
        logs = {server: f"127.0.0.1:{program.free_port()}" for server in site.servers}
        to = tuple(logs.values())
        backend = BackendConfig(
            config.APP, servers, "/shop/health", sticky_cookie=sticky, logs=to, paths=site.paths
        )
        haproxies = tuple(_haproxy(folder, number, backend) for number in range(site.haproxies))
        for haproxy in haproxies:
            stack.enter_context(haproxy.run())
        demo_site = DemoSite(folder, broker, haproxies, tomcats, site)
        sockets = [haproxy.admin_socket for haproxy in haproxies]
        for server in site.servers:
            text = config.configuration(
                folder, broker.port, sockets, tomcats, site, logs[server], server
            )
            demo_site.config_of(server).write_text(text)
        yield demo_site


def _tomcats(folder: Path, nodes: int, site: DemoOptions) -> dict[str, TomcatInstance]:
    password = secrets.token_urlsafe(16)
    if site.has_managers:
        file = config.password_file(folder)
        file.touch(mode=0o600)
        file.write_text(password)
    names = [f"node{number}" for number in range(1, nodes + 1)]
    manager = ManagerUser(config.MANAGER_USER, password) if site.has_managers else None
    return {
        name: TomcatInstance(
            folder / name, program.free_port(), manager=manager, class_data=class_data.option()
        )
        for name in names
    }


def _haproxy(folder: Path, number: int, backend: BackendConfig) -> HaproxyInstance:
    name = "haproxy" if number == 0 else f"haproxy{number + 1}"
    return HaproxyInstance(folder / name, program.free_port(), backend)


def _since(log: Path, begin: int) -> bytes:
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(begin)
        return file.read()
