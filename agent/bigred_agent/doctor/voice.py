"""Checks the sound card and the speech engines."""

import ctypes
import ctypes.util
import importlib.util
import shutil

from bigred_agent.doctor.finding import SOUND_CARD, Finding
from bigred_agent.settings import VoiceSettings
from bigred_agent.voice import sound_card
from bigred_agent.voice.choice import EngineChoice

SILENT = 'or set [voice] engine = "none" for a silent box'
_PYTTSX3 = "voice pyttsx3"
_ESPEAK = "voice espeak-ng"


def voice(settings: VoiceSettings) -> list[Finding]:
    """Check everything that the configured voice needs."""
    if settings.engine is EngineChoice.NONE:
        return [Finding("voice", "switched off in the configuration")]
    findings = [_card(settings.card)]
    if settings.engine in (EngineChoice.AUTO, EngineChoice.PYTTSX3):
        findings.append(_pyttsx3())
    if settings.engine in (EngineChoice.AUTO, EngineChoice.ESPEAK):
        findings.append(_espeak())
    return findings


def _card(wanted: str) -> Finding:
    chosen = sound_card.choose(wanted)
    if chosen.problem is None:
        return Finding(SOUND_CARD, chosen.card or "ALSA's default")
    seen, _, fix = chosen.problem.partition("; ")
    return Finding(SOUND_CARD, seen, f"{fix}; {SILENT}")


def _pyttsx3() -> Finding:
    if importlib.util.find_spec("pyttsx3") is None:
        return Finding(
            _PYTTSX3, "the Python package is missing", "install bigred with its extra 'agent'"
        )
    if ctypes.util.find_library("espeak-ng") is None:
        return Finding(
            _PYTTSX3, "the library espeak-ng is missing", "install the package libespeak-ng1"
        )
    return Finding(_PYTTSX3, "installed")


def _espeak() -> Finding:
    if shutil.which("espeak-ng") is None:
        return Finding(_ESPEAK, "the command is missing", "install the package espeak-ng")
    return Finding(_ESPEAK, "installed")
