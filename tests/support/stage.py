"""The stage of the trials: a site with its box, and the strikes at its processes."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.support import neighbours
from tests.support.mqtt_recorder import Recorder, mqtt_recorder
from tests.support.rig import Rig, rig
from tests.support.strikes import Blow, Strike, Target
from tests.support.trial import Trial

from bigred_broker import mosquitto
from bigred_broker.program import Child, is_listening, wait_until
from bigred_server.demo import cleanup
from bigred_server.demo.options import DemoOptions, Tables

_BUTTON_S = 90.0
_LIVES_S = 10.0
_NOTICED_S = 5.0
_QUICK: Tables = {
    "apps.shop.admission": {"warmup_requests": 20},
    "apps.shop.bake": {"canary_s": 1.0, "batch_s": 1.0},
    "apps.shop.deadlines": {"start_s": 20.0, "start_again_s": 1.0, "mend_again_s": 3.0},
}


@dataclass
class Stage:
    """A rig with a running box, and everything that the broker has passed on."""

    rig: Rig
    recorder: Recorder
    _stack: ExitStack
    _box: Child | None = None

    def start_box(self) -> None:
        """Start the box, and wait until its button can be moved."""
        self.rig.demo_site.button.unlink(missing_ok=True)
        self._box = self._stack.enter_context(self.rig.demo_site.box())

    def move_button(self, word: str) -> bool:
        """Move the simulated button; return whether there is a box, which may answer late."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_BUTTON_S)
            try:
                line.connect(str(self.rig.demo_site.button))
                line.sendall(f"{word}\n".encode())
                return line.recv(100) == b"ok\n"
            except OSError:
                return False

    def strike(self, strike: Strike, trial: Trial) -> None:
        """Strike, and return once the process runs again."""
        trial.struck_s = time.monotonic()
        match strike.target, strike.blow:
            case Target.TOMCAT, _:
                self._strike_tomcat(strike, trial)
            case _, Blow.FREEZE:
                _freeze(self._process(strike.target), strike.length_s)
            case Target.SERVER, _:
                self.rig.kill()
                time.sleep(strike.length_s)  # as an init waits
                self.rig.start()
            case Target.BOX, _:
                assert self._box is not None
                self._box.kill()
                self._box.wait(_LIVES_S)
                time.sleep(strike.length_s)  # as an init waits
                self.start_box()
            case _:
                self._restart(strike)
        trial.over_s = time.monotonic()

    def _restart(self, strike: Strike) -> None:
        site = self.rig.demo_site
        is_broker = strike.target is Target.BROKER
        port = site.broker.port if is_broker else site.haproxy.port
        os.kill(self._process(strike.target), signal.SIGKILL)
        wait_until(lambda: not is_listening(port), _LIVES_S, f"the {strike.target} is gone")
        time.sleep(strike.length_s)  # as an init waits
        again = mosquitto.running(site.folder / "mqtt", port) if is_broker else site.haproxy.run()
        self._stack.enter_context(again)

    def _strike_tomcat(self, strike: Strike, trial: Trial) -> None:
        site = self.rig.demo_site
        tomcat = site.nodes[strike.node]
        # In the middle of its update it may be down: it is struck as soon as it runs again.
        wait_until(lambda: neighbours.jvm(tomcat) is not None, _LIVES_S * 3, "the Tomcat runs")
        trial.struck_s = time.monotonic()
        if strike.blow is Blow.FREEZE:
            process = neighbours.jvm(tomcat)
            assert process is not None
            before = neighbours.rows(site.haproxy)[strike.node]
            with _frozen(process):
                end_s = time.monotonic() + strike.length_s
                with contextlib.suppress(Exception):
                    wait_until(
                        lambda: not self._row(strike.node).status.startswith("UP"),
                        min(_NOTICED_S, strike.length_s),
                        "HAProxy has noticed",
                    )
                after = self._row(strike.node)
                trial.in_flight = before.in_flight + after.requests - before.requests
                time.sleep(max(0.0, end_s - time.monotonic()))  # the drawn length
            return
        trial.in_flight = neighbours.kill(tomcat, strike.node, site.haproxies) or 0
        time.sleep(strike.length_s)  # as an init waits
        if neighbours.jvm(tomcat) is None:
            self.rig.start_tomcat(strike.node)

    def _row(self, node: str) -> neighbours.Row:
        return neighbours.rows(self.rig.demo_site.haproxy)[node]

    def _process(self, target: Target) -> int:
        match target:
            case Target.SERVER:
                return self.rig.server_process()
            case Target.BOX:
                return int(getattr(self._box, "pid"))  # noqa: B009
            case Target.BROKER:
                return self._marked(str(self.rig.demo_site.folder / "mqtt" / "mosquitto.conf"))
            case _:
                return neighbours.worker(self.rig.demo_site.haproxy)

    def _marked(self, argument: str) -> int:
        for process in cleanup.marked(self.rig.demo_site.folder):
            with contextlib.suppress(OSError):
                if argument.encode() in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
                    return process
        raise AssertionError(f"no process with the argument {argument}")


def _freeze(process: int, length_s: float) -> None:
    with _frozen(process):
        time.sleep(length_s)  # the drawn length


@contextlib.contextmanager
def _frozen(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


@contextlib.contextmanager
def stage(nodes: int) -> Iterator[Stage]:
    """Set up a stage; everything is removed when the block ends."""
    with (
        rig(nodes, DemoOptions(more=_QUICK)) as made,
        mqtt_recorder(made.demo_site.broker.port) as recorder,
        ExitStack() as stack,
    ):
        prepared = Stage(made, recorder, stack)
        prepared.start_box()
        yield prepared
