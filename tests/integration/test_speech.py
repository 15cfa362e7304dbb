"""Recognising a box's speech: the sentence that it said, and not another in the same voice."""

import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly
from tests.support import speech
from tests.support.speech import RATE, Listener, Samples, words_of

from bigred_agent.card.plan import VOICES

SENTENCES = [
    "System is armed! Shop 1.1.0, to three servers.",
    "System disarmed.",
    "Firing missiles!",
    "The red button was unplugged.",
    "The red button is connected.",
    "Target reached! Shop 1.1.0 is live.",
]
VOICE, PACE = VOICES["en"]


def said(sentence: str) -> Samples:
    done = subprocess.run(
        ["espeak-ng", "-v", VOICE, "-s", str(PACE), "--stdout", sentence],
        check=True,
        capture_output=True,
    )
    return speech.rendering(done.stdout)


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of all sentences except the last, like those of QEMU's sound card."""
    noise = np.random.default_rng(1)
    pause = np.zeros(RATE // 2)
    parts = [part for sentence in SENTENCES[:-1] for part in (pause, said(sentence))]
    whole = np.concatenate(parts) / 2 + noise.normal(0, 30, sum(map(len, parts)))
    both = np.repeat(resample_poly(whole, 2, 1).astype("<i2")[:, None], 2, axis=1)
    file = tmp_path_factory.mktemp("sound") / "sound.wav"
    with wave.open(str(file), "wb") as target:
        target.setparams((2, 2, 2 * RATE, 0, "NONE", "not compressed"))
        target.writeframes(both.tobytes())
    return file


def test_each_spoken_sentence_is_found_in_its_place_and_no_other(wav: Path) -> None:
    heard = speech.recording(wav)
    found = [speech.find(said(sentence), heard) for sentence in SENTENCES]
    assert all(one.alike > 0.95 for one in found[:-1])
    assert found[-1].alike < 0.6
    assert [one.at_s for one in found[:-1]] == sorted(one.at_s for one in found[:-1])


def test_each_sentence_is_understood(wav: Path) -> None:
    heard = speech.recording(wav)
    listener = Listener(SENTENCES)
    for sentence in SENTENCES[:-1]:
        sound = speech.find(said(sentence), heard).sound
        assert listener.understand(sound) == words_of(sentence)


def test_a_sentence_with_another_clock_matches_and_one_about_another_release_does_not() -> None:
    sentence = said(SENTENCES[0])
    slower = np.arange(0, len(sentence) - 1, 1 - 200e-6)
    played = np.interp(slower, np.arange(len(sentence)), sentence)
    assert speech.find(sentence, played).alike > 0.9
    assert speech.find(said(SENTENCES[0].replace("1.1.0", "1.2.0")), played).alike < 0.8


def test_noise_is_no_sentence() -> None:
    noise = np.random.default_rng(2).normal(0, 1000, RATE * 3)
    assert speech.find(said(SENTENCES[0]), noise).alike < 0.2
    assert speech.find(said(SENTENCES[0]), noise[:100]).alike == 0.0


def test_a_missing_recording_is_silence(tmp_path: Path) -> None:
    assert len(speech.recording(tmp_path / "none.wav")) == 0
