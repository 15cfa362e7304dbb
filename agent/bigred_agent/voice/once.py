"""Speaks a single sentence to its end, for `bigred-agent say`."""

from bigred_agent.errors import VoiceError
from bigred_agent.phrases import pack as packs
from bigred_agent.phrases.phrase import Phrase
from bigred_agent.settings import VoiceSettings
from bigred_agent.voice import sound_card
from bigred_agent.voice.choice import EngineChoice
from bigred_agent.voice.engine import Sound, deadline_s
from bigred_agent.voice.engines import engines
from bigred_agent.voice.text import clean

OFF = 'the voice is switched off: [voice] engine = "none"'


async def speak_once(text: str, settings: VoiceSettings) -> None:
    """Speak a text, or the pack's test phrase; if an engine fails, try the next one.

    Raises VoiceError if all fail.
    """
    text = clean(text) or packs.render(packs.load(settings.pack), Phrase.TEST)
    if settings.engine is EngineChoice.NONE:
        raise VoiceError(OFF)
    chosen = sound_card.choose(settings.card)
    problem = chosen.problem
    if problem is not None:
        raise VoiceError(problem)
    sound = Sound(settings.voice, settings.rate, settings.volume, chosen.card)
    for engine in engines(settings.engine, sound):
        try:
            await engine.speak(text, deadline_s(text))
        except VoiceError as error:
            problem = str(error)
        else:
            return
        finally:
            await engine.close()
    raise VoiceError(problem)
