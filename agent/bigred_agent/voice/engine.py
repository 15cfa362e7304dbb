"""What speaks: a protocol, and how it is to sound."""

from dataclasses import dataclass
from typing import Protocol

SLACK_S = 10.0
_SECONDS_PER_CHARACTER = 0.12  # slow speech; the slack covers a sound card that wakes up


@dataclass(frozen=True)
class Sound:
    """How it sounds. `voice` is a name of espeak-ng's, `rate` words a minute, `volume` 0 to 1."""

    voice: str = "en"
    rate: int = 160
    volume: float = 1.0


class Engine(Protocol):
    """One way to speak."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    async def speak(self, text: str, deadline_s: float) -> None:
        """Speak a clean text to its end. Raises VoiceError, at the latest after the deadline."""

    async def close(self) -> None:
        """End every process of it."""


def deadline_s(text: str) -> float:
    """Give how long speaking a text may take at most."""
    return len(text) * _SECONDS_PER_CHARACTER + SLACK_S
