"""The values of `[voice] engine` and `[voice] card`."""

from enum import StrEnum

AUTO_CARD = "auto"
ALSA_CARD = "alsa"


class EngineChoice(StrEnum):
    """`[voice] engine`."""

    AUTO = "auto"
    PYTTSX3 = "pyttsx3"
    ESPEAK = "espeak-ng"
    NONE = "none"
