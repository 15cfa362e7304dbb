"""Which sound cards this machine plays by, and which of them a box speaks with.

pyttsx3 would never tell that there is none, and plays by whatever ALSA takes for the default: the
first card, which on a Raspberry Pi is a screen. The card is named in the environment (ALSA_CARD,
alsa-lib's alsa.conf).
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_DEADLINE_S = 5.0
_LISTED = re.compile(r"^card (?P<number>\d+): (?P<id>\S+) \[(?P<name>[^\]]*)\]", re.MULTILINE)
_NODES = Path("/dev/snd")
_CARDS = Path("/sys/class/sound")
VARIABLE = "ALSA_CARD"

NO_PLAYER = "aplay is not installed; install the package alsa-utils"
NO_CARD = (
    "there is no sound card; a Pi 5 or Zero has no jack and needs USB, HDMI or Bluetooth audio, "
    "and the agent's user must be in the group audio"
)
NOT_THERE = (
    "there is no sound card {wanted!r} but {there}; plug it in, or set [voice] card to one of them "
    'or to "auto"'
)

AUTO = "auto"
ALSA = "alsa"


@dataclass(frozen=True)
class SoundCard:
    """One that plays. `id` is ALSA's short name of it, `bus` the kernel's path to the device."""

    id: str
    name: str
    bus: str = ""

    @property
    def rank(self) -> int:
        """Where it stands in the order of choice.

        A loudspeaker that somebody plugged in is meant to be heard; a screen may have none.
        """
        if "/usb" in self.bus:
            return 0
        if "hdmi" in f"{self.id} {self.name}".lower():
            return 2
        return 3 if self.id.startswith("Loopback") else 1


@dataclass(frozen=True)
class Chosen:
    """The card to speak with, "" for ALSA's own default; or what keeps the box from speaking."""

    card: str = ""
    complaint: str | None = None


def choose(wanted: str = AUTO) -> Chosen:
    """Choose a sound card: AUTO, ALSA, or a card's id."""
    try:
        listed = subprocess.run(
            ["aplay", "-l"], capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
    except FileNotFoundError:
        return Chosen(complaint=NO_PLAYER)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Chosen(complaint=f"aplay does not answer: {error}")
    return chosen(cards(listed.stdout), wanted)


def cards(listed: str, folder: Path = _CARDS) -> list[SoundCard]:
    """Read what `aplay -l` lists: each card once, in ALSA's order."""
    found: dict[str, SoundCard] = {}
    for one in _LISTED.finditer(listed):
        bus = str((folder / f"card{one['number']}").resolve())
        found[one["id"]] = SoundCard(one["id"], one["name"], bus)
    return list(found.values())


def chosen(there: list[SoundCard], wanted: str) -> Chosen:
    """Choose among the cards there are. Pure."""
    if not there:
        return Chosen(complaint=NO_CARD)
    if wanted == ALSA:
        return Chosen()
    if wanted == AUTO:
        return Chosen(min(there, key=lambda card: card.rank).id)
    if wanted in (ids := [card.id for card in there]):
        return Chosen(wanted)
    return Chosen(complaint=NOT_THERE.format(wanted=wanted, there=", ".join(ids)))


def nodes(folder: Path = _NODES) -> frozenset[tuple[str, bool]]:
    """Give what changes when a card comes or goes: what plays, and whether this user may use it."""
    return frozenset(
        (node.name, os.access(node, os.R_OK | os.W_OK)) for node in folder.glob("pcm*p")
    )
