"""Chooses the engines that a box tries, their order, and the sound card."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from bigred_agent.voice import sound_card
from bigred_agent.voice.choice import AUTO_CARD, EngineChoice
from bigred_agent.voice.engine import Engine, Sound
from bigred_agent.voice.espeak_engine import EspeakEngine
from bigred_agent.voice.pyttsx3_engine import Pyttsx3Engine

log = structlog.get_logger(__name__)


def engines(choice: EngineChoice, sound: Sound) -> Sequence[Engine]:
    """Return the engines in the order in which to try them."""
    if choice is EngineChoice.NONE:
        return ()
    if choice is EngineChoice.PYTTSX3:
        return (Pyttsx3Engine(sound),)
    if choice is EngineChoice.ESPEAK:
        return (EspeakEngine(sound),)
    return (Pyttsx3Engine(sound), EspeakEngine(sound))


@dataclass
class EngineFinder:
    """Finds the engines for the available sound cards, again whenever these change.

    `card` is `[voice] card`: AUTO_CARD, ALSA_CARD, or a card's id.
    """

    choice: EngineChoice
    sound: Sound
    card: str = AUTO_CARD
    _nodes: frozenset[tuple[str, bool]] | None = None

    def search(self) -> Sequence[Engine] | None:
        """Return the engines, none if there is no usable card; None if no card came or went."""
        if self.choice is EngineChoice.NONE:
            return None
        nodes = sound_card.nodes()
        if nodes == self._nodes:
            return None
        self._nodes = nodes
        chosen = sound_card.choose(self.card)
        if chosen.problem is not None:
            log.warning("running without a voice", reason=chosen.problem)
            return ()
        log.info("sound card chosen", card=chosen.card or "ALSA's default")
        return engines(self.choice, replace(self.sound, card=chosen.card))
