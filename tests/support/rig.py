"""The rig: a demo site whose servers and neighbours the tests stop, hurt and start again."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # a plan and a receipt are JSON

from tests.support import forked, neighbours
from tests.support.journal import Journal

from bigred_broker import mosquitto
from bigred_broker.messages import AppState, Phase
from bigred_broker.program import Child, is_listening, stop, wait_until
from bigred_server.demo import cleanup
from bigred_server.demo.demo_site import DemoSite, Say, set_up
from bigred_server.demo.options import DemoOptions
from bigred_server.demo.sample import BuildKind

DEADLINE_S = 90.0
_COMMAND_S = 60.0
_ASK_S = 0.1

Json = dict[str, Any]


@dataclass
class Rig:
    """A stage, its journal, and the servers that run."""

    demo_site: DemoSite
    journal: Journal
    _stack: ExitStack
    _servers: dict[str, Child] = field(default_factory=dict)

    def start(self, server: str | None = None) -> None:
        """Start a server, the first unless named, and wait until it is at the broker."""
        running = self._stack.enter_context(self.demo_site.server(server, forked.running))
        self._servers[self._name(server)] = running

    def kill(self, server: str | None = None) -> None:
        """Kill a server as a power cut does."""
        running = self._servers[self._name(server)]
        assert running.poll() is None, self.demo_site.log("server").read_text()[-2000:]
        running.kill()
        running.wait(5)

    @contextlib.contextmanager
    def frozen(self, server: str | None = None) -> Iterator[None]:
        """Have a server stand still for the length of the block."""
        running = self._servers[self._name(server)]
        running.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            running.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop all servers, as an orderly shutdown does."""
        for running in self._servers.values():
            stop(running)

    def submit(self, version: str, kind: BuildKind = BuildKind.GOOD) -> None:
        """Hand in a release."""
        self.bigred("submit", str(self.demo_site.build(version, kind)), "--version", version)

    def deploy(
        self, version: str, kind: BuildKind = BuildKind.GOOD, server: str | None = None
    ) -> str:
        """Hand in a release and begin its deployment; give the deployment's id."""
        self.submit(version, kind)
        return self.bigred("deploy", version, "--no-wait", server=server).split()[1]

    def ended(self, deployment: str, deadline_s: float = DEADLINE_S) -> Phase:
        """Wait for a deployment's outcome."""
        wait_rarely(
            lambda: self.journal.has_ended(deployment), deadline_s, f"{deployment} has ended"
        )
        return Phase(self.journal.told(deployment).phase)

    def until_act(self, deployment: str, node: str, kind: str, *, ended: bool = False) -> None:
        """Return as soon as an act has begun, or (`ended`) has its outcome."""

        def is_so() -> bool:
            actions = self.journal.actions(deployment)
            ours = [action for action in actions if (action.node, action.kind) == (node, kind)]
            return bool(ours) and (not ended or ours[-1].outcome is not None)

        wait_until(is_so, DEADLINE_S, f"{kind} of {node} in {deployment}")

    def plan(self, version: str) -> Json:
        """Give what a deployment would do."""
        told: Json = json.loads(self.bigred("plan", version, "--json"))
        return told

    def receipt(self, deployment: str) -> Json:
        """Give the receipt of a deployment that has ended."""
        told: Json = json.loads(self.bigred("show", "--json", deployment))["receipt"]
        return told

    def state(self) -> AppState:
        """Give how the app stands, as `bigred status` sees it."""
        return AppState.model_validate_json(self.bigred("status", "--json"))

    def bigred(self, *arguments: str, server: str | None = None) -> str:
        """Run a verb that must work; give what it printed."""
        config = self.demo_site.config_of(self._name(server))
        done = forked.run(*arguments, "--config", str(config))
        assert done.returncode == 0, f"bigred {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def serving(self) -> dict[str, str]:
        """Give the release of each node that serves, by our own eyes."""
        return neighbours.serving(self.demo_site.haproxies, self.demo_site.nodes)

    def until_serving(self, version: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until every node serves a release, and nothing is done to any."""
        wanted = dict.fromkeys(self.demo_site.nodes, version)
        wait_rarely(
            lambda: not self.journal.running() and self.serving() == wanted,
            deadline_s,
            f"every node serves {version} and none is in hand",
        )

    def kill_tomcat(self, node: str) -> int | None:
        """Kill a node's Tomcat; give how many requests were in flight, None if it was down."""
        return neighbours.kill(self.demo_site.nodes[node], node, self.demo_site.haproxies)

    def start_tomcat(self, node: str) -> None:
        """Start a node's Tomcat, as the machine's own init would; it may take its time."""
        command = self.demo_site.nodes[node].start_command
        subprocess.run(command, check=True, capture_output=True, timeout=_COMMAND_S)

    def restart_broker(self) -> None:
        """Kill Mosquitto, and start another one in its place."""
        config = str(self.demo_site.folder / "mqtt" / "mosquitto.conf").encode()
        for process in cleanup.marked(self.demo_site.folder):
            if config in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
                os.kill(process, signal.SIGKILL)
        port = self.demo_site.broker.port
        wait_until(lambda: not is_listening(port), 5, "the broker is gone")
        self._stack.enter_context(mosquitto.running(self.demo_site.folder / "mqtt", port))

    def restart_haproxy(self) -> None:
        """As `systemctl restart` does: whoever was served is cut off, what was set is forgotten."""
        haproxy = self.demo_site.haproxy
        os.kill(int((haproxy.folder / "haproxy.pid").read_text()), signal.SIGTERM)
        wait_until(lambda: not is_listening(haproxy.port), 10, "HAProxy is gone")
        self._stack.enter_context(haproxy.run())

    def _name(self, server: str | None) -> str:
        return server or self.demo_site.site.servers[0]


def wait_rarely(is_so: Callable[[], bool], deadline_s: float, what: str) -> None:
    """As `wait_until`, but leaving the machine's time to what is waited for."""
    wait_until(is_so, deadline_s, what, every_s=_ASK_S)


@contextlib.contextmanager
def rig(nodes: int, site: DemoOptions, say: Say = lambda _: None) -> Iterator[Rig]:
    """Set a stage with its servers running; all is gone when the block ends."""
    with set_up(nodes, say, site) as demo_site, ExitStack() as stack:
        made = Rig(demo_site, Journal(demo_site.journal), stack)
        for server in site.servers:
            made.start(server)
        yield made
