"""A box that starts from the card, and the site that it deploys to: power, button, pins, voice."""

import base64
import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # messages are JSON

from tests.support import speech
from tests.support.guest import Guest, Running, guest
from tests.support.mqtt_recorder import Recorder, mqtt_recorder
from tests.support.rig import Rig, rig
from tests.support.speech import Found

from bigred_agent.card.plan import VOICES
from bigred_broker.messages import Phase
from bigred_broker.program import wait_until
from bigred_server.demo import config
from bigred_server.demo.options import DemoOptions

# The host's address in QEMU's user network.
OUTSIDE = "10.0.2.2"
ONLINE_S = 420.0
ANSWER_S = 60.0
DEPLOYED_S = 300.0
SPOKEN_S = 90.0
# A match of at least this score is the same sentence.
ALIKE = 0.8
LATELY_S = 60.0
_LISTEN_S = 1.0
_CLOCK_TICKS = 100
# A bank of simulated pins that looks like the header of a Raspberry Pi.
_PINS = """\
set -e
modprobe gpio-sim
bank=/sys/kernel/config/gpio-sim/bigred
mkdir -p $bank/bank0
echo 54 >$bank/bank0/num_lines
echo pinctrl-bcm2835 >$bank/bank0/label
echo 1 >$bank/live
echo /sys/devices/platform/$(cat $bank/dev_name)/$(cat $bank/bank0/chip_name)
"""


@dataclass
class Box:
    """One box, switched on or off."""

    guest: Guest
    recorder: Recorder
    name: str = config.BOX
    pins: str = ""
    recordings: dict[str, Found] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _live: Running | None = None

    @property
    def live(self) -> Running:
        """The box while it is on."""
        assert self._live is not None, "it is switched off"
        return self._live

    def switch_on(self) -> None:
        """Switch it on."""
        self._live = self._stack.enter_context(self.guest.power())

    def cut(self) -> None:
        """Cut the power."""
        self._live = None
        self._stack.close()

    def last(self, leaf: str) -> Any:
        """Return its last info, state, event or status."""
        return self.recorder.last(f"bigred/box/{self.name}/{leaf}")

    def online(self, since: int = 0) -> float:
        """Wait until it is online, after `since` status messages; return when it was."""
        topic = f"bigred/box/{self.name}/status"

        def said() -> list[float]:
            return [one.at_s for one in self.recorder.of(topic)[since:] if one.body == "online"]

        self.recorder.until(lambda: bool(said()), ONLINE_S, "the box is online")
        return said()[0]

    def statuses(self) -> int:
        """Count its status messages."""
        return len(self.recorder.of(f"bigred/box/{self.name}/status"))

    def wait_for_event(self, kind: str, since: int) -> float:
        """Wait for an event after the first `since` ones; return when it arrived."""
        topic = f"bigred/box/{self.name}/event"

        def found() -> list[float]:
            later = self.recorder.of(topic)[since:]
            return [one.at_s for one in later if one.body["event_type"] == kind]

        self.recorder.until(lambda: bool(found()), ANSWER_S, f"the box reports {kind}")
        return found()[0]

    def wait_for_button(self) -> None:
        """Wait until its button is connected."""
        self.recorder.until(
            lambda: (self.last("state") or {}).get("button_connected") is True,
            ANSWER_S,
            "the button",
        )

    def app(self) -> dict[str, Any]:
        """Return the state of its app."""
        state: dict[str, Any] = self.recorder.last(f"bigred/app/{config.APP}/state") or {}
        return state

    def until_phase(self, phase: Phase, deployment: str) -> None:
        """Wait until a deployment has reached a phase."""
        self.recorder.until(
            lambda: (self.app().get("phase"), self.app().get("deployment")) == (phase, deployment),
            DEPLOYED_S,
            f"the deployment is {phase}",
        )

    def arm(self, place: Rig, version: str) -> dict[str, Any]:
        """Submit a release, and lift the lid when it is the candidate; return the reply."""
        place.submit(version)
        self.recorder.until(lambda: bool(self.app().get("candidate")), ANSWER_S, "the candidate")
        return self.lift()

    def lift(self) -> dict[str, Any]:
        """Lift the lid; return the reply."""
        return self._answered(self.guest.button.open_lid)

    def push(self) -> dict[str, Any]:
        """Push the knob and release it; return the reply."""

        def down_and_up() -> None:
            self.guest.button.press()
            self.guest.button.delivered_at_s()
            self.guest.button.release()

        return self._answered(down_and_up)

    def _answered(self, do: Callable[[], object]) -> dict[str, Any]:
        replies = f"bigred/box/{self.name}/reply"
        before = len(self.recorder.of(replies))
        do()
        self.recorder.until(lambda: len(self.recorder.of(replies)) > before, ANSWER_S, "an answer")
        answer: dict[str, Any] = self.recorder.of(replies)[before].body
        return answer

    def events(self) -> int:
        """Count its events."""
        return len(self.recorder.of(f"bigred/box/{self.name}/event"))

    def simulate_pins(self) -> None:
        """Simulate pins on a machine without any, and restart the agent so that it finds them."""
        self.pins = self.live.run(_PINS).strip()
        self.restart_agent()

    def restart_agent(self) -> None:
        """Restart the agent, and wait until it is online."""
        since = self.statuses()
        self.live.run("systemctl restart bigred-agent", deadline_s=120)
        self.online(since)

    def high(self, *numbers: int) -> list[bool]:
        """Read simulated pins back."""
        files = " ".join(f"{self.pins}/sim_gpio{number}/value" for number in numbers)
        return [word == "1" for word in self.live.run(f"cat {files}").split()]

    def agent_kib(self) -> int:
        """Return the agent's memory, without its voice."""
        return int(self._of_agent("grep VmRSS /proc/$pid/status").split()[1])

    def agent_cpu(self, seconds: float) -> float:
        """Return the agent's share of one processor."""
        before = self._agent_ticks()
        begun_s = time.monotonic()
        self.live.run(f"sleep {seconds}", deadline_s=seconds + 60)
        took_s = time.monotonic() - begun_s
        return (self._agent_ticks() - before) / _CLOCK_TICKS / took_s

    def said(self) -> list[str]:
        """Return the sentences it was asked to say, according to its state."""
        voices = [one.body["voice"] for one in self.recorder.of(f"bigred/box/{self.name}/state")]
        by_count = {voice["count"]: voice["said"] for voice in voices if voice.get("said")}
        return [by_count[count] for count in sorted(by_count)]

    def wait_for_card(self, card: str) -> None:
        """Wait until it has chosen a sound card."""
        chosen = "journalctl -u bigred-agent -o cat | grep -F 'sound card chosen' | tail -n 1"
        wait_until(lambda: f"card={card}" in self.live.run(chosen), ANSWER_S, f"card {card}")

    def wait_for_sentence(
        self, sentence: str, voice: str = "", pace: int = 0, played: Path | None = None
    ) -> Found:
        """Wait until its sound card has played a sentence, as rendered by the box itself.

        `played` is the recording, by default that of its permanent card.
        """
        if not voice:
            voice, pace = VOICES["en"]
        command = f"espeak-ng -v {voice} -s {pace} --stdout --stdin | base64 -w 0"
        rendered = self.live.run(command, given=sentence)
        sound = speech.rendering(base64.b64decode(rendered))
        end = time.monotonic() + SPOKEN_S
        best = Found(0.0, 0.0, sound)
        while best.alike < ALIKE and time.monotonic() < end:
            time.sleep(_LISTEN_S)
            found = speech.find(sound, speech.recording(played or self.guest.sound, LATELY_S))
            best = max(best, found, key=lambda one: one.alike)
        assert best.alike >= ALIKE, f"{sentence!r} was not heard; the best was {best.alike:.2f}"
        self.recordings[sentence] = best
        return best

    def _agent_ticks(self) -> int:
        fields = self._of_agent("cat /proc/$pid/stat").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def _of_agent(self, command: str) -> str:
        return self.live.run(f"pid=$(systemctl show -P MainPID bigred-agent); {command}")


def card(port: int, host: str = OUTSIDE, name: str = config.BOX) -> str:
    """Return a bigred.toml for a broker on the host."""
    return (
        f'name = "{name}"\n[broker]\nhost = "{host}"\nport = {port}\n'
        'username = "demo"\npassword = "of the broker"\n'
    )


@contextlib.contextmanager
def at_home(built: Path, folder: Path, machine: str, nodes: int) -> Iterator[tuple[Rig, Box]]:
    """Run a site with its Tomcats; yield it with a switched-off box configured for its broker."""
    with rig(nodes, DemoOptions()) as place:
        port = place.demo_site.broker.port
        with mqtt_recorder(port) as recorder, boxed(built, folder, machine, recorder) as box:
            box.guest.write("bigred.toml", card(port))
            yield place, box


@contextlib.contextmanager
def boxed(built: Path, folder: Path, machine: str, recorder: Recorder) -> Iterator[Box]:
    """Yield a switched-off box with a new card; its power is cut when the block ends."""
    with guest(built, folder, machine) as made:
        box = Box(made, recorder)
        try:
            yield box
        finally:
            box.cut()
