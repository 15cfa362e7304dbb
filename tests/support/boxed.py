"""A box made from the card, next to a rig that it deploys to: power, button, pins and voice."""

import base64
import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # messages are JSON

from tests.support import speech
from tests.support.ear import Ear, ear
from tests.support.guest import Guest, Running, guest
from tests.support.rig import Rig, rig
from tests.support.speech import Found

from bigred_agent.card.plan import VOICES
from bigred_broker.messages import Phase
from bigred_broker.program import wait_until
from bigred_server.demo import config
from bigred_server.demo.options import DemoOptions

# QEMU's user network: the machine that it runs on.
OUTSIDE = "10.0.2.2"
ONLINE_S = 420.0
ANSWER_S = 60.0
DEPLOYED_S = 300.0
SPOKEN_S = 90.0
# What is alike to this degree is the same sentence.
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
    """One box, on or off."""

    guest: Guest
    ear: Ear
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
        """Give it power."""
        self._live = self._stack.enter_context(self.guest.power())

    def cut(self) -> None:
        """Pull the plug."""
        self._live = None
        self._stack.close()

    def tell(self, leaf: str) -> Any:
        """Give what it told last: its info, state, event or status."""
        return self.ear.last(f"bigred/box/{self.name}/{leaf}")

    def online(self, since: int = 0) -> float:
        """Wait until it says that it is there, again after `since` messages; give when it did."""
        topic = f"bigred/box/{self.name}/status"

        def said() -> list[float]:
            return [one.at_s for one in self.ear.of(topic)[since:] if one.body == "online"]

        self.ear.until(lambda: bool(said()), ONLINE_S, "the box is online")
        return said()[0]

    def statuses(self) -> int:
        """Count what it said of its being there."""
        return len(self.ear.of(f"bigred/box/{self.name}/status"))

    def happened(self, kind: str, since: int) -> float:
        """Wait until it tells of something after `since` events; give when it was heard."""
        topic = f"bigred/box/{self.name}/event"

        def found() -> list[float]:
            later = self.ear.of(topic)[since:]
            return [one.at_s for one in later if one.body["event_type"] == kind]

        self.ear.until(lambda: bool(found()), ANSWER_S, f"the box tells {kind}")
        return found()[0]

    def has_its_button(self) -> None:
        """Wait until it says that its button is connected."""
        self.ear.until(
            lambda: (self.tell("state") or {}).get("button_connected") is True,
            ANSWER_S,
            "the button",
        )

    def app(self) -> dict[str, Any]:
        """Give how the app stands that it fires."""
        state: dict[str, Any] = self.ear.last(f"bigred/app/{config.APP}/state") or {}
        return state

    def until_phase(self, phase: Phase, deployment: str) -> None:
        """Wait until a deployment stands there."""
        self.ear.until(
            lambda: (self.app().get("phase"), self.app().get("deployment")) == (phase, deployment),
            DEPLOYED_S,
            f"the deployment is {phase}",
        )

    def arm(self, place: Rig, version: str) -> dict[str, Any]:
        """Hand a release in, and lift the lid when it waits; give the answer."""
        place.submit(version)
        self.ear.until(lambda: bool(self.app().get("candidate")), ANSWER_S, "the candidate")
        return self._answered(self.guest.button.open_lid)

    def push(self) -> dict[str, Any]:
        """Push the knob and let it go; give the answer."""

        def down_and_up() -> None:
            self.guest.button.press()
            self.guest.button.told_at_s()
            self.guest.button.release()

        return self._answered(down_and_up)

    def _answered(self, do: Callable[[], object]) -> dict[str, Any]:
        replies = f"bigred/box/{self.name}/reply"
        before = len(self.ear.of(replies))
        do()
        self.ear.until(lambda: len(self.ear.of(replies)) > before, ANSWER_S, "an answer")
        answer: dict[str, Any] = self.ear.of(replies)[before].body
        return answer

    def events(self) -> int:
        """Count what it told of happening."""
        return len(self.ear.of(f"bigred/box/{self.name}/event"))

    def simulate_pins(self) -> None:
        """Have pins where the machine has none, and an agent that finds them."""
        self.pins = self.live.run(_PINS).strip()
        self.restart_agent()

    def restart_agent(self) -> None:
        """Restart the agent, and wait until it is back."""
        since = self.statuses()
        self.live.run("systemctl restart bigred-agent", deadline_s=120)
        self.online(since)

    def high(self, *numbers: int) -> list[bool]:
        """Read simulated pins back."""
        files = " ".join(f"{self.pins}/sim_gpio{number}/value" for number in numbers)
        return [word == "1" for word in self.live.run(f"cat {files}").split()]

    def agent_kib(self) -> int:
        """Give the memory that the agent holds, without its voice."""
        return int(self._of_agent("grep VmRSS /proc/$pid/status").split()[1])

    def agent_cpu(self, seconds: float) -> float:
        """Give which share of one processor the agent takes."""
        before = self._agent_ticks()
        begun_s = time.monotonic()
        self.live.run(f"sleep {seconds}", deadline_s=seconds + 60)
        took_s = time.monotonic() - begun_s
        return (self._agent_ticks() - before) / _CLOCK_TICKS / took_s

    def said(self) -> list[str]:
        """Give the sentences that it was to say, as its state told them."""
        told = [one.body["voice"] for one in self.ear.of(f"bigred/box/{self.name}/state")]
        by_count = {voice["count"]: voice["said"] for voice in told if voice.get("said")}
        return [by_count[count] for count in sorted(by_count)]

    def speaks_by(self, card: str) -> None:
        """Wait until it has chosen a sound card."""
        chosen = "journalctl -u bigred-agent -o cat | grep -F 'the box speaks' | tail -n 1"
        wait_until(lambda: f"card={card}" in self.live.run(chosen), ANSWER_S, f"card {card}")

    def hears(
        self, sentence: str, voice: str = "", pace: int = 0, played: Path | None = None
    ) -> Found:
        """Wait until a sentence was played by its sound card, by its own rendering of it.

        `played` is the recording, if it is not that of the card it always has.
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
    """Give a bigred.toml for a broker of this machine."""
    return (
        f'name = "{name}"\n[broker]\nhost = "{host}"\nport = {port}\n'
        'username = "demo"\npassword = "of the broker"\n'
    )


@contextlib.contextmanager
def at_home(built: Path, folder: Path, machine: str, nodes: int) -> Iterator[tuple[Rig, Box]]:
    """Set up a rig with its Tomcats, and a box, switched off, whose card names its broker."""
    with rig(nodes, DemoOptions()) as place:
        port = place.testbed.broker.port
        with ear(port) as heard, boxed(built, folder, machine, heard) as box:
            box.guest.write("bigred.toml", card(port))
            yield place, box


@contextlib.contextmanager
def boxed(built: Path, folder: Path, machine: str, ear: Ear) -> Iterator[Box]:
    """Have a box of a fresh card, switched off; no power is left on when the block ends."""
    with guest(built, folder, machine) as made:
        box = Box(made, ear)
        try:
            yield box
        finally:
            box.cut()
