"""Presses while a hop stands still: which of them fire, when, and what the box says.

The site has a real server, broker and box, and an app that a fake Jenkins deploys: what is measured
is the way from the button to the journal, and no node is needed for that.
"""

import contextlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.support import forked
from tests.support.jenkins_app import configured
from tests.support.mqtt_recorder import Recorder, mqtt_recorder
from tests.support.slow_line import Direction, SlowLine

from bigred_agent.machine.state import Policy
from bigred_broker import mosquitto, program
from bigred_broker.messages import ANSWER_DEADLINE_S
from bigred_broker.program import Child, free_port, wait_until
from bigred_broker.settings import BrokerSettings
from bigred_server.testing.jenkins import FakeJenkins

DEADLINE_S = 60.0
_HAND_S = 0.2
_NEAR_S = 0.25
"""So near to the deadline, nobody can say which of the two is right."""


class Hop(StrEnum):
    """What stands still: a process, or one direction of a line."""

    BOX = "box"
    BROKER = "broker"
    SERVER = "server"
    BOX_TO_BROKER = "box to broker"
    BROKER_TO_BOX = "broker to box"
    SERVER_TO_BROKER = "server to broker"
    BROKER_TO_SERVER = "broker to server"


class When(StrEnum):
    """When the stall begins."""

    LID = "before the lid"
    PRESS = "before the press"
    JUST_AFTER = "just after the press"


@dataclass(frozen=True)
class Stall:
    """One stall, and how long before or after the press it begins."""

    hop: Hop
    when: When
    lasts_s: float
    offset_s: float


@dataclass(frozen=True)
class Outcome:
    """What came of one press.

    `armed`: whether the box was armed before the press. `fired_s`: how long after the press the
    server fired; None if it did not. `refused_s`: how long after the press a refusal as too late
    was published; None if there was none. `said`: what the box said meanwhile.
    """

    stall: Stall
    armed: bool
    fired_s: float | None
    refused_s: float | None
    said: tuple[str, ...]

    @property
    def is_late_and_fired(self) -> bool:
        """Whether a press took effect after people had heard that nobody answered."""
        return self.fired_s is not None and self.fired_s > ANSWER_DEADLINE_S

    @property
    def is_fresh_and_refused(self) -> bool:
        """Whether a press was refused as too late although it was answered in time."""
        return self.refused_s is not None and self.refused_s < ANSWER_DEADLINE_S - _NEAR_S


def drawn(rng: random.Random, longest_s: float) -> Stall:
    """Draw a stall."""
    hop, when = rng.choice(list(Hop)), rng.choice(list(When))
    offset_s = rng.uniform(0.0, 0.03 if when is When.JUST_AFTER else 1.0)
    return Stall(hop, when, rng.uniform(0.2, longest_s), offset_s)


@dataclass
class StallSite:
    """The running site."""

    folder: Path
    jenkins: FakeJenkins
    recorder: Recorder
    processes: "dict[Hop, Child | subprocess.Popen[bytes]]"
    lines: dict[str, SlowLine]

    def press(self, stall: Stall) -> Outcome:
        """Lift the lid, push during a stall, and close the lid; return what came of it."""
        self._idle()
        since, fired = len(self.recorder.messages), self._deployments()
        with contextlib.ExitStack() as standing:
            if stall.when is When.LID:
                standing.enter_context(self._stalled(stall.hop))
            lid_s = time.monotonic()
            self._button("open")
            if stall.when is When.LID:
                time.sleep(stall.lasts_s)
                standing.close()
            armed = self._is_armed(since, lid_s)
            if stall.when is When.PRESS:
                standing.enter_context(self._stalled(stall.hop))
                time.sleep(min(stall.offset_s, stall.lasts_s))
            pressed_s, pressed_at = time.monotonic(), time.time()
            self._button("press")
            if stall.when is When.JUST_AFTER:
                time.sleep(stall.offset_s)
                standing.enter_context(self._stalled(stall.hop))
                time.sleep(stall.lasts_s)
            elif stall.when is When.PRESS:
                time.sleep(max(0.0, stall.lasts_s - stall.offset_s))
        # Once whatever was held back has arrived, what the box hears next comes after it.
        self._settle()
        began = self._deployments()[len(fired) :]
        assert len(began) <= 1, began
        refused_s = self._refused_at_s(since, pressed_s)
        fired_s = began[0] - pressed_at if began else None
        return Outcome(stall, armed, fired_s, refused_s, self._said(since))

    def _refused_at_s(self, since: int, pressed_s: float) -> float | None:
        """Return how long after a press its refusal as too late was published."""
        news = self.recorder.messages[since:]
        events = [one.body for one in news if one.topic == "bigred/box/office/event"]
        presses = {event["id"] for event in events if event["event_type"] == "press"}
        replies = [one for one in news if one.topic == "bigred/box/office/reply"]
        refused = [
            one.at_s - pressed_s
            for one in replies
            if one.body["id"] in presses and one.body.get("code") == "stale"
        ]
        return min(refused, default=None)

    def _settle(self) -> None:
        """Close the lid, and wait until the server and the box have seen it."""
        # Right after the box itself stood still, it takes what it sees for old.
        time.sleep(Policy().unsure_after_resuming_s + _HAND_S)
        since = len(self.recorder.messages)
        self._button("close")
        topic, event = "bigred/box/office/state", "bigred/box/office/event"

        def is_over() -> bool:
            news = self.recorder.messages[since:]
            lids = [one.body["lid"] for one in news if one.topic == topic]
            sent = [one.body["event_type"] for one in news if one.topic == event]
            return lids[-1:] == ["closed"] and ("lid_close" in sent or not self._is_online())

        self.recorder.until(is_over, DEADLINE_S, "the lid is closed")
        # The server answers one event of a box after the other: the answer to this one is the last.
        time.sleep(_HAND_S)

    def _idle(self) -> None:
        """Finish the run that a press began, and wait until the box may be armed."""

        def is_idle() -> bool:
            for item in list(self.jenkins.items.values()):
                if not item.has_left:
                    self.jenkins.finish(self.jenkins.begin(item.id).number, "SUCCESS")
            return self._is_online() and not self._is_running()

        wait_until(is_idle, DEADLINE_S, "the site is idle")

    def _is_online(self) -> bool:
        topics = ("bigred/server/status", "bigred/box/office/status")
        return all(self.recorder.last(topic) == "online" for topic in topics)

    def _is_running(self) -> bool:
        with self._journal() as db:
            return bool(db.execute("SELECT 1 FROM deployment WHERE ended_at IS NULL").fetchall())

    def _deployments(self) -> list[float]:
        with self._journal() as db:
            rows = db.execute("SELECT started_at FROM deployment ORDER BY started_at").fetchall()
        return [row[0] for row in rows]

    @contextlib.contextmanager
    def _journal(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.folder / "state" / "bigred.db", timeout=DEADLINE_S)
        try:
            yield db
        finally:
            db.close()

    def _is_armed(self, since: int, lid_s: float) -> bool:
        """Wait until the box is armed, or has given up; return whether it is armed."""
        topic = "bigred/box/office/state"

        def patterns() -> list[str]:
            news = self.recorder.messages[since:]
            return [one.body["lights"]["pattern"] for one in news if one.topic == topic]

        def is_decided() -> bool:
            waited = time.monotonic() - lid_s > ANSWER_DEADLINE_S + 1.0
            return "armed" in patterns() or waited

        self.recorder.until(is_decided, DEADLINE_S, "the lid is answered, or not")
        return patterns()[-1:] == ["armed"]

    def _said(self, since: int) -> tuple[str, ...]:
        news = self.recorder.messages[since:]
        said = [one.body["voice"] for one in news if one.topic == "bigred/box/office/state"]
        by_count = {voice["count"]: voice["said"] for voice in said if voice.get("said")}
        return tuple(by_count[count] for count in sorted(by_count))

    def _button(self, word: str) -> None:
        """Move the button, even if the box stands still and answers nothing."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "button.sock"))
            line.sendall(f"{word}\n".encode())

    @contextlib.contextmanager
    def _stalled(self, hop: Hop) -> Iterator[None]:
        match hop:
            case Hop.BOX_TO_BROKER:
                held = self.lines["box"].stalled(Direction.THERE)
            case Hop.BROKER_TO_BOX:
                held = self.lines["box"].stalled(Direction.BACK)
            case Hop.SERVER_TO_BROKER:
                held = self.lines["server"].stalled(Direction.THERE)
            case Hop.BROKER_TO_SERVER:
                held = self.lines["server"].stalled(Direction.BACK)
            case _:
                held = _stopped(self.processes[hop])
        with held:
            yield


@contextlib.contextmanager
def _stopped(child: "Child | subprocess.Popen[bytes]") -> Iterator[None]:
    child.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        child.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def stall_site(folder: Path) -> Iterator[StallSite]:
    """Run the site in a folder until the block ends."""
    port, jenkins = free_port(), FakeJenkins()
    with contextlib.ExitStack() as stack:
        text = mosquitto.configuration(BrokerSettings(port=port))
        broker = stack.enter_context(mosquitto.started(folder / "mqtt", text, port))
        lines = {name: stack.enter_context(SlowLine(port).running()) for name in ("box", "server")}
        url = stack.enter_context(jenkins.serving())
        recorder = stack.enter_context(mqtt_recorder(port))
        config = configured(folder, lines["server"].port, url)
        log = folder / "server.log"
        server = stack.enter_context(
            forked.running(
                "the server",
                ("server", "--config", str(config)),
                log,
                lambda: log.exists() and "the server is running" in log.read_text(),
            )
        )
        box = stack.enter_context(_box(folder, lines["box"].port))
        site = StallSite(
            folder,
            jenkins,
            recorder,
            {Hop.BROKER: broker, Hop.SERVER: server, Hop.BOX: box},
            lines,
        )
        wait_until(site._is_online, DEADLINE_S, "server and box are online")
        recorder.until(
            lambda: (recorder.last("bigred/box/office/state") or {}).get("button_connected", False),
            DEADLINE_S,
            "the button is there",
        )
        yield site


@contextlib.contextmanager
def _box(folder: Path, port: int) -> "Iterator[subprocess.Popen[bytes]]":
    settings, button = folder / "agent.toml", folder / "button.sock"
    settings.touch()
    command = [
        str(Path(sys.executable).with_name("bigred-agent")),
        *("run", "--name", "office", "--broker", f"127.0.0.1:{port}", "--muted"),
        *("--simulated", str(button), "--config", str(settings)),
    ]
    with program.running("the box", command, folder / "box.log", button.exists) as child:
        yield child
