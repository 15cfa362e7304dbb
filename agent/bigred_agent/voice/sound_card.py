"""Finds the machine's sound cards, and chooses the one that a box speaks through.

pyttsx3 does not report a missing card, and uses ALSA's default, the first card, which on a
Raspberry Pi is a screen. The card is passed in the environment (ALSA_CARD, see alsa-lib's
alsa.conf).
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bigred_agent.voice.choice import ALSA_CARD, AUTO_CARD

_DEADLINE_S = 5.0
_LISTED = re.compile(r"^card (?P<number>\d+): (?P<id>\S+) \[(?P<name>[^\]]*)\]", re.MULTILINE)
_NODES = Path("/dev/snd")
_CARDS = Path("/sys/class/sound")
VARIABLE = "ALSA_CARD"

NO_PLAYER = "aplay is not installed; install the package alsa-utils"
NO_CARD = (
    "there is no sound card; plug one in (a Pi 5 or Zero has no headphone socket and needs USB, "
    "HDMI or Bluetooth audio), and put the agent's user into the group audio"
)
NOT_FOUND = (
    "there is no sound card {wanted!r}, only {available}; plug it in, or set [voice] card to one "
    'of these or to "auto"'
)


@dataclass(frozen=True)
class SoundCard:
    """A playback device. `id` is ALSA's short name, `bus` the kernel's path to the device."""

    id: str
    name: str
    bus: str = ""

    @property
    def rank(self) -> int:
        """Its rank in the choice, lowest first.

        A loudspeaker that was plugged in is meant to be used; a screen may not have one.
        """
        if "/usb" in self.bus:
            return 0
        if "hdmi" in f"{self.id} {self.name}".lower():
            return 2
        return 3 if self.id.startswith("Loopback") else 1


@dataclass(frozen=True)
class CardChoice:
    """The card to use, "" for ALSA's default; or the problem that prevents speaking."""

    card: str = ""
    problem: str | None = None


def choose(wanted: str = AUTO_CARD) -> CardChoice:
    """Choose a sound card: AUTO_CARD, ALSA_CARD, or a card's id."""
    try:
        listed = subprocess.run(
            ["aplay", "-l"], capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
    except FileNotFoundError:
        return CardChoice(problem=NO_PLAYER)
    except (OSError, subprocess.TimeoutExpired) as error:
        return CardChoice(problem=f"aplay does not answer: {error}")
    return choose_from(cards(listed.stdout), wanted)


def cards(listed: str, folder: Path = _CARDS) -> list[SoundCard]:
    """Parse the output of `aplay -l`: each card once, in ALSA's order."""
    found: dict[str, SoundCard] = {}
    for one in _LISTED.finditer(listed):
        bus = str((folder / f"card{one['number']}").resolve())
        found[one["id"]] = SoundCard(one["id"], one["name"], bus)
    return list(found.values())


def choose_from(available: list[SoundCard], wanted: str) -> CardChoice:
    """Choose one of the available cards."""
    if not available:
        return CardChoice(problem=NO_CARD)
    if wanted == ALSA_CARD:
        return CardChoice()
    if wanted == AUTO_CARD:
        return CardChoice(min(available, key=lambda card: card.rank).id)
    if wanted in (ids := [card.id for card in available]):
        return CardChoice(wanted)
    return CardChoice(problem=NOT_FOUND.format(wanted=wanted, available=", ".join(ids)))


def nodes(folder: Path = _NODES) -> frozenset[tuple[str, bool]]:
    """Return the playback devices, and whether this user may use them; changes with the cards."""
    return frozenset(
        (node.name, os.access(node, os.R_OK | os.W_OK)) for node in folder.glob("pcm*p")
    )
