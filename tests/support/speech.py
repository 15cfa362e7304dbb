"""Finds a box's sentences in a recording of its sound card, and recognises their words.

A sentence is found by correlation with espeak-ng's own rendering: the same sentence scores 0.9 and
more, one that differs in a digit 0.7, and any other about 0.5. Whether a listener would understand
it is decided by a recogniser that knows only the box's sentences.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pocketsphinx import Decoder
from scipy.ndimage import maximum_filter1d
from scipy.signal import correlate, resample_poly

RATE = 22_050
"""The sample rate of espeak-ng's output."""
_HEADER = 44
_RECOGNISED_AT = 16_000
_PAUSE_S = 0.25
# On an emulated card a sentence drifts by some samples per second. Measured for a long one: 0.77 as
# a whole, and 0.90 in such pieces.
_PIECE_S = 0.4
_DRIFT_S = 0.005
_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """The best match for a sentence: its position in seconds, and its score; 1 is identical."""

    at_s: float
    alike: float
    sound: Samples


def recording(wav: Path, last_s: float = 3600.0) -> Samples:
    """Read the end of QEMU's recording, even while it goes on.

    QEMU writes 44,100 pairs of samples per second while something plays.
    """
    raw = wav.read_bytes()[_HEADER:] if wav.exists() else b""
    raw = raw[-int(last_s * 2 * RATE) * 4 :]
    pairs = np.frombuffer(raw[: len(raw) // 4 * 4], dtype="<i2").reshape(-1, 2)
    return np.asarray(resample_poly(pairs.mean(axis=1), 1, 2))


def rendering(wav: bytes) -> Samples:
    """Read espeak-ng's standard output, without the silence around the speech."""
    raw = wav[_HEADER:]
    samples = np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2").astype(float)
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() / 50)
    return samples[loud[0] : loud[-1] + 1]


def find(sentence: Samples, heard: Samples) -> Found:
    """Find a sentence in a recording, piece by piece: the sound card's clock is not espeak-ng's."""
    count, drift = len(sentence), int(_DRIFT_S * RATE)
    if len(heard) < count:
        return Found(0.0, 0.0, heard)
    last = len(heard) - count + 1
    length = min(int(_PIECE_S * RATE), count)
    alike, weight = np.zeros(last), 0.0
    for begin in range(0, count - length + 1, length):
        piece = sentence[begin : begin + length]
        energy = float(piece @ piece)
        near = maximum_filter1d(_alike(piece, heard), 2 * drift + 1)
        alike += energy * near[begin : begin + last]
        weight += energy
    best = int(np.argmax(alike))
    return Found(best / RATE, float(alike[best] / weight), heard[best : best + count])


def _alike(piece: Samples, heard: Samples) -> Samples:
    """Return the score of a piece at each sample of the recording; 1 is identical."""
    count = len(piece)
    products = correlate(heard, piece, mode="valid", method="fft")
    squares = np.concatenate([[0.0], np.cumsum(heard**2)])
    power = np.sqrt(np.maximum(squares[count:] - squares[:-count], 1.0))
    return np.asarray(products / (power * np.linalg.norm(piece)))


class Listener:
    """Recognises the given sentences, and no others."""

    def __init__(self, sentences: Iterable[str]) -> None:
        words = " | ".join(sorted({words_of(one) for one in sentences}))
        self._decoder = Decoder(samprate=_RECOGNISED_AT, loglevel="FATAL")
        self._decoder.add_jsgf_string("box", f"#JSGF V1.0;\ngrammar box;\npublic <s> = {words};\n")
        self._decoder.activate_search("box")

    def understand(self, sound: Samples) -> str:
        """Return the words of the recognised sentence; "" for none."""
        loudest = max(float(np.abs(sound).max()), 1.0)
        samples = resample_poly(sound / loudest * 20_000, 320, 441).astype("<i2")
        pause = np.zeros(int(_PAUSE_S * _RECOGNISED_AT), dtype="<i2")
        self._decoder.start_utt()
        whole = np.concatenate([pause, samples, pause])
        self._decoder.process_raw(whole.tobytes(), full_utt=True)
        self._decoder.end_utt()
        guess = self._decoder.hyp()
        return guess.hypstr if guess else ""


def words_of(sentence: str) -> str:
    """Return a sentence as spoken words: "1.4.2" is "one point four point two", 18 "eighteen"."""
    plain = re.sub(r"(?<=\d)\.(?=\d)", " point ", sentence.lower())
    plain = re.sub(
        r"(?<!point )\b\d{1,2}\b(?! point)", lambda number: _number(int(number[0])), plain
    )
    plain = re.sub(r"\d", lambda digit: f" {_number(int(digit[0]))} ", plain)
    return " ".join(re.sub(r"[^a-z' ]", " ", plain).split())


def _number(number: int) -> str:
    tens, ones = divmod(number, 10)
    if tens < 2:
        return _NUMBERS[number]
    return f"{_TENS[tens]} {_NUMBERS[ones]}" if ones else _TENS[tens]
