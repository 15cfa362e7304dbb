"""What speaks: a protocol, and how it is to sound."""

import os
from dataclasses import dataclass
from typing import Protocol

from bigred_agent.voice import sound_card

SLACK_S = 10.0
_SECONDS_PER_CHARACTER = 0.12  # slow speech; the slack covers a sound card that wakes up


@dataclass(frozen=True)
class Sound:
    """How it sounds, and where.

    `voice` is a name of espeak-ng's, `rate` words a minute, `volume` 0 to 1, `card` a sound card's
    id, "" for the one that ALSA takes.
    """

    voice: str = "en"
    rate: int = 160
    volume: float = 1.0
    card: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which whatever plays it is started."""
        return {**os.environ, sound_card.VARIABLE: self.card} if self.card else dict(os.environ)


class Engine(Protocol):
    """One way to speak."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    async def prepare(self) -> None:
        """Have all started that the first sentence would wait for. Raises VoiceError."""

    async def speak(self, text: str, deadline_s: float) -> None:
        """Speak a clean text to its end. Raises VoiceError, at the latest after the deadline."""

    async def close(self) -> None:
        """End every process of it."""


def deadline_s(text: str) -> float:
    """Give how long speaking a text may take at most."""
    return len(text) * _SECONDS_PER_CHARACTER + SLACK_S
