"""Which engines a box tries, in which order."""

from collections.abc import Sequence
from enum import StrEnum

import structlog

from bigred_agent.voice import sound_card
from bigred_agent.voice.engine import Engine, Sound
from bigred_agent.voice.espeak_engine import EspeakEngine
from bigred_agent.voice.pyttsx3_engine import Pyttsx3Engine

log = structlog.get_logger(__name__)


class Choice(StrEnum):
    """`[voice] engine`."""

    AUTO = "auto"
    PYTTSX3 = "pyttsx3"
    ESPEAK = "espeak-ng"
    NONE = "none"


def engines(choice: Choice, sound: Sound) -> Sequence[Engine]:
    """Give the engines; none when there is nothing to be heard from, which is logged once."""
    if choice is Choice.NONE:
        return ()
    if (complaint := sound_card.complaint()) is not None:
        log.warning("the box has no voice and goes on without", reason=complaint)
        return ()
    if choice is Choice.PYTTSX3:
        return (Pyttsx3Engine(sound),)
    if choice is Choice.ESPEAK:
        return (EspeakEngine(sound),)
    return (Pyttsx3Engine(sound), EspeakEngine(sound))
