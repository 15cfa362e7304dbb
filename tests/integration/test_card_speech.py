"""What a box says about a card is understood: each sentence, among all the others."""

import subprocess

from tests.support import speech
from tests.support.speech import Listener, Samples, words_of

from bigred_agent.card import mistakes, vocabulary
from bigred_agent.card.mistakes import Mistake
from bigred_agent.card.plan import VOICES
from bigred_agent.card.report import CONFIGURED, DETAILS, MORE, ONE_MORE, UNCONFIGURED

VOICE, PACE = VOICES["en"]
_AT_ONCE = 20


THINGS = sorted({vocabulary.spoken(key) for key in vocabulary.KINDS})
WHOLE_FILE = {
    *(Mistake.NO_FILE, Mistake.UNREADABLE, Mistake.NOT_TEXT, Mistake.TOO_LONG),
    *(Mistake.TWO_FILES, Mistake.NO_NAME, Mistake.NO_BROKER),
}


def sentences() -> list[str]:
    """Every sentence about a card, with lines of one and of two digits, and each thing once."""
    everything = {UNCONFIGURED, CONFIGURED, ONE_MORE, MORE.format(count=3), DETAILS}
    for at, mistake in enumerate(Mistake):
        words = mistakes.templates()[mistake.name.lower()]["said"]
        things = THINGS if mistake is Mistake.EMPTY else [THINGS[at % len(THINGS)]]
        for thing in things if "{thing}" in words else [""]:
            filled = words.format(thing=thing, heading="wifi", to="below broker")
            whole_file = mistake in WHOLE_FILE
            everything.add(filled if whole_file else f"In line {3 + at % 40}, {filled}")
    return sorted(everything, key=lambda said: said.partition(", ")[2] or said)


def said(sentence: str) -> Samples:
    done = subprocess.run(
        ["espeak-ng", "-v", VOICE, "-s", str(PACE), "--stdout", sentence],
        check=True,
        capture_output=True,
    )
    return speech.rendering(done.stdout)


def test_each_complaint_about_a_card_is_understood() -> None:
    everything = sentences()
    assert len(everything) > len(Mistake)
    heard: dict[str, str] = {}
    # Those that begin alike are together; the recogniser's time grows with what it knows.
    for begin in range(0, len(everything), _AT_ONCE):
        alike = everything[begin : begin + _AT_ONCE]
        listener = Listener(alike)
        heard |= {sentence: listener.understand(said(sentence)) for sentence in alike}
    assert {one: words for one, words in heard.items() if words != words_of(one)} == {}
