"""The rig: a demo site whose servers and neighbours the tests stop, damage and restart."""

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

DEADLINE_S = 180.0
_COMMAND_S = 60.0
_ASK_S = 0.1

Json = dict[str, Any]


@dataclass
class Rig:
    """A demo site, its journal, and the running servers."""

    demo_site: DemoSite
    journal: Journal
    _stack: ExitStack
    _servers: dict[str, Child] = field(default_factory=dict)

    def start(self, server: str | None = None) -> None:
        """Start a server, by default the first, and wait until it is connected to the broker."""
        running = self._stack.enter_context(self.demo_site.server(server, forked.running))
        self._servers[self._name(server)] = running

    def kill(self, server: str | None = None) -> None:
        """Kill a server as a power cut does."""
        running = self._servers[self._name(server)]
        assert running.poll() is None, self.demo_site.log("server").read_text()[-2000:]
        running.kill()
        running.wait(5)

    def server_process(self) -> int:
        """Return the process id of the first server."""
        running = self._servers[self._name(None)]
        assert isinstance(running, forked.Forked)
        return running.pid

    @contextlib.contextmanager
    def frozen(self, server: str | None = None) -> Iterator[None]:
        """Freeze a server for the length of the block."""
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
        """Submit a release."""
        self.bigred("submit", str(self.demo_site.build(version, kind)), "--version", version)

    def deploy(
        self, version: str, kind: BuildKind = BuildKind.GOOD, server: str | None = None
    ) -> str:
        """Submit a release and start its deployment; return the deployment's id."""
        self.submit(version, kind)
        return self.bigred("deploy", version, "--no-wait", server=server).split()[1]

    def ended(self, deployment: str, deadline_s: float = DEADLINE_S) -> Phase:
        """Wait for a deployment's outcome, and return it."""
        wait_rarely(
            lambda: self.journal.has_ended(deployment), deadline_s, f"{deployment} has ended"
        )
        return Phase(self.journal.deployment(deployment).phase)

    def succeeds(self, deployment: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait for a deployment's outcome, which must be success; an error says why it is not."""
        phase = self.ended(deployment, deadline_s)
        assert phase is Phase.SUCCEEDED, f"{phase}: {self.journal.deployment(deployment).reason}"

    def until_act(self, deployment: str, node: str, kind: str, *, ended: bool = False) -> None:
        """Return as soon as an action has begun, or (`ended`) has its outcome."""

        def is_so() -> bool:
            actions = self.journal.actions(deployment)
            ours = [action for action in actions if (action.node, action.kind) == (node, kind)]
            return bool(ours) and (not ended or ours[-1].outcome is not None)

        wait_until(is_so, DEADLINE_S, f"{kind} of {node} in {deployment}")

    def plan(self, version: str) -> Json:
        """Return what a deployment would do."""
        answer: Json = json.loads(self.bigred("plan", version, "--json"))
        return answer

    def receipt(self, deployment: str) -> Json:
        """Return the receipt of a deployment that has ended."""
        answer: Json = json.loads(self.bigred("show", "--json", deployment))["receipt"]
        return answer

    def state(self) -> AppState:
        """Return the app's state as `bigred status` reports it."""
        return AppState.model_validate_json(self.bigred("status", "--json"))

    def bigred(self, *arguments: str, server: str | None = None) -> str:
        """Run a verb that must succeed; return its output."""
        done = self.tried(*arguments, server=server)
        assert done.returncode == 0, f"bigred {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def tried(
        self, *arguments: str, server: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a verb to its end, whatever that is."""
        config = self.demo_site.config_of(self._name(server))
        return forked.run(*arguments, "--config", str(config))

    def serving(self) -> dict[str, str]:
        """Return the release of each node that serves, as seen from outside."""
        return neighbours.serving(self.demo_site.haproxies, self.demo_site.nodes)

    def until_serving(self, version: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until every node serves a release and none is being updated."""
        wanted = dict.fromkeys(self.demo_site.nodes, version)
        wait_rarely(
            lambda: not self.journal.running() and self.serving() == wanted,
            deadline_s,
            f"every node serves {version} and none is being updated",
        )

    def kill_tomcat(self, node: str) -> int | None:
        """Kill a node's Tomcat; return how many requests were in flight, or None if it was down."""
        return neighbours.kill(self.demo_site.nodes[node], node, self.demo_site.haproxies)

    def start_tomcat(self, node: str) -> None:
        """Start a node's Tomcat, as the machine's own init would; it may take a while."""
        command = self.demo_site.nodes[node].start_command
        subprocess.run(command, check=True, capture_output=True, timeout=_COMMAND_S)

    def restart_broker(self) -> None:
        """Kill Mosquitto, and start another one in its place."""
        config = str(self.demo_site.folder / "mqtt" / "mosquitto.conf").encode()
        for process in cleanup.marked(self.demo_site.folder):
            with contextlib.suppress(OSError):  # one that has just ended is not the broker
                if config in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
                    os.kill(process, signal.SIGKILL)
        port = self.demo_site.broker.port
        wait_until(lambda: not is_listening(port), 5, "the broker is gone")
        self._stack.enter_context(mosquitto.running(self.demo_site.folder / "mqtt", port))

    def restart_haproxy(self) -> None:
        """Restart HAProxy as `systemctl restart` does: it drops clients and forgets settings."""
        haproxy = self.demo_site.haproxy
        os.kill(int((haproxy.folder / "haproxy.pid").read_text()), signal.SIGTERM)
        wait_until(lambda: not is_listening(haproxy.port), 10, "HAProxy is gone")
        self._stack.enter_context(haproxy.run())

    def _name(self, server: str | None) -> str:
        return server or self.demo_site.site.servers[0]


def wait_rarely(is_so: Callable[[], bool], deadline_s: float, what: str) -> None:
    """Wait as `wait_until` does, but check rarely, so that the machine has time for the rest."""
    wait_until(is_so, deadline_s, what, every_s=_ASK_S)


@contextlib.contextmanager
def rig(nodes: int, site: DemoOptions, say: Say = lambda _: None) -> Iterator[Rig]:
    """Set up a demo site and start its servers; everything is removed when the block ends."""
    with set_up(nodes, say, site) as demo_site, ExitStack() as stack:
        made = Rig(demo_site, Journal(demo_site.journal), stack)
        for server in site.servers:
            made.start(server)
        yield made
