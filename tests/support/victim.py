"""The victim: a rig that suffers the faults of a run, and the log of them."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.faults import Fault, Misfortune, Run
from tests.support.faulty import Faulty
from tests.support.rig import Rig

_COMMAND_S = 120.0


@dataclass
class Victim:
    """The rig in one run, in the middle of a deployment.

    `story`: what was done, and when (Unix time). `in_flight`: requests that may have been lost with
    a killed Tomcat. `dead`: killed nodes that have not been started again.
    """

    rig: Rig
    faulty: Faulty
    deployment: str
    begun_at: float
    story: list[tuple[float, str]] = field(default_factory=list)
    in_flight: int = 0
    killed: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    _commands: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def suffer(self, run: Run, usual_s: float) -> None:
        """Cause each drawn fault at its time, until the deployment has ended."""
        for one in run.misfortunes:
            if not self._is_due(self.begun_at + one.at * usual_s):
                self.log(f"(too late for: {one})")
                return
            self.log(str(one))
            self._acts()[one.fault](one)

    def revive(self) -> None:
        """Start the Tomcats that were left dead, and clear faults that have not happened."""
        self.faulty.clear()
        for node in sorted(self.dead):
            self.log(f"{node} is started again")
            self.rig.start_tomcat(node)
        self.dead.clear()

    def finish(self) -> None:
        """Wait for the commands to end."""
        for verb in list(self._commands):
            self._await_end(verb)

    def log(self, text: str) -> None:
        """Add a line to the story."""
        self.story.append((time.time(), text))

    def full_story(self) -> list[str]:
        """Return the whole story in order of time: what was done, and what the server reported."""
        lines = self.story + [
            (at, f"    {text}") for at, text in self.rig.journal.events(self.deployment)
        ]
        return [f"{at - self.begun_at:7.2f}  {text}" for at, text in sorted(lines)]

    def _is_due(self, at: float) -> bool:
        while time.time() < at:
            if self.rig.journal.has_ended(self.deployment):
                return False
            time.sleep(min(0.05, max(0.0, at - time.time())))
        return not self.rig.journal.has_ended(self.deployment)

    def _acts(self) -> dict[Fault, Callable[[Misfortune], None]]:
        rig, faulty = self.rig, self.faulty
        return {
            Fault.SERVER_KILLED: self._kill_server,
            Fault.SERVER_FROZEN: self._freeze_server,
            Fault.HAPROXY_RELOADED: lambda _: rig.demo_site.haproxy.reload(),
            Fault.HAPROXY_RESTARTED: lambda _: rig.restart_haproxy(),
            Fault.TOMCAT_KILLED: self._kill_tomcat,
            Fault.BROKER_RESTARTED: lambda _: rig.restart_broker(),
            Fault.STOP_FAILS: lambda one: faulty.fail_once(one.node, "stop"),
            Fault.START_FAILS: lambda one: faulty.fail_once(one.node, "start"),
            Fault.HELD: self._hold,
            Fault.ROLLED_BACK: lambda _: self._command("rollback"),
            Fault.ABORTED: lambda _: self._command("abort"),
        }

    def _kill_server(self, one: Misfortune) -> None:
        self.rig.kill()
        time.sleep(one.length_s or 0.0)
        self.rig.start()
        self.log("the server is back")

    def _freeze_server(self, one: Misfortune) -> None:
        with self.rig.frozen():
            time.sleep(one.length_s or 0.0)
        self.log("the server goes on")

    def _kill_tomcat(self, one: Misfortune) -> None:
        lost = self.rig.kill_tomcat(one.node)
        if lost is None:
            self.log(f"({one.node} was down)")
            return
        self.in_flight += lost
        self.killed.add(one.node)
        self.log(f"{lost} requests may have been in flight on {one.node}")
        if one.length_s is None:
            self.dead.add(one.node)
            return
        time.sleep(one.length_s)
        self.rig.start_tomcat(one.node)

    def _hold(self, one: Misfortune) -> None:
        self._command("hold")
        time.sleep(one.length_s or 0.0)
        self._command(one.then)

    def _command(self, verb: str) -> None:
        """Start a command; `finish` waits for its end, because some follow the deployment."""
        argv = [
            sys.executable,
            "-m",
            "bigred_server",
            verb,
            "--config",
            str(self.rig.demo_site.config),
        ]
        pipe = subprocess.PIPE
        self._commands[verb] = subprocess.Popen(argv, stdout=pipe, stderr=subprocess.STDOUT)
        if verb != "rollback":
            self._await_end(verb)

    def _await_end(self, verb: str) -> None:
        command = self._commands.pop(verb)
        try:
            said, _ = command.communicate(timeout=_COMMAND_S)
        except subprocess.TimeoutExpired:
            command.kill()
            said, _ = command.communicate()
        printed = said.decode().strip().splitlines() or ["nothing"]
        first = printed[0] if command.returncode == 0 else printed[-1]
        self.log(f"bigred {verb} ended with {command.returncode}: {first}")
