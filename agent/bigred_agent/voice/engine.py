"""The protocol of a speech engine, and the settings of its sound."""

import os
from dataclasses import dataclass
from typing import Protocol

from bigred_agent.voice import sound_card

SLACK_S = 10.0
_SECONDS_PER_CHARACTER = 0.12  # slow speech; the slack covers a sound card that is waking up


@dataclass(frozen=True)
class Sound:
    """How speech sounds, and on which card.

    `voice` is one of espeak-ng's, `rate` in words per minute, `volume` from 0 to 1, `card` a sound
    card's id, "" for ALSA's default.
    """

    voice: str = "en"
    rate: int = 160
    volume: float = 1.0
    card: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The environment for the programs that play it."""
        return {**os.environ, sound_card.VARIABLE: self.card} if self.card else dict(os.environ)


class Engine(Protocol):
    """One way to speak."""

    @property
    def name(self) -> str:
        """Its name, for people."""

    async def prepare(self) -> None:
        """Start whatever the first sentence would have to wait for. Raises VoiceError."""

    async def speak(self, text: str, deadline_s: float) -> None:
        """Speak a cleaned text to its end. Raises VoiceError, at the deadline at the latest."""

    async def close(self) -> None:
        """End all its processes."""


def deadline_s(text: str) -> float:
    """Return the longest time that speaking a text may take."""
    return len(text) * _SECONDS_PER_CHARACTER + SLACK_S
