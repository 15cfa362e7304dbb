"""The voice without any process: the queue, the replacement of engines, and no blocking."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_agent.errors import VoiceError
from bigred_agent.voice.choice import EngineChoice
from bigred_agent.voice.engine import Sound, deadline_s
from bigred_agent.voice.engines import engines
from bigred_agent.voice.espeak_engine import synthesis
from bigred_agent.voice.sentence_queue import MOST_SENTENCES, STALE_S, SentenceQueue
from bigred_agent.voice.speaker import MOST_FAILURES, Speaker
from bigred_agent.voice.text import MOST_CHARACTERS, clean

DEADLINE_S = 5.0

Start = Callable[[Speaker], Speaker]


def test_text_is_one_line_without_control_characters() -> None:
    assert clean("  a\x00b\x1b[31m\n\nc\t d\u202e ") == "a b [31m c d"


def test_an_overlong_text_is_cut_after_a_word() -> None:
    cut = clean("word " * 100)
    assert len(cut) <= MOST_CHARACTERS
    assert cut.endswith("word")


@given(st.text(max_size=1000))
def test_every_text_is_cleaned(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= MOST_CHARACTERS
    assert cleaned.isprintable()
    assert clean(cleaned) == cleaned


def test_a_full_queue_keeps_the_newest_sentences() -> None:
    waiting = SentenceQueue()
    dropped = [waiting.put(str(number), 0.0) for number in range(MOST_SENTENCES + 2)]
    assert dropped == [False] * MOST_SENTENCES + [True] * 2
    taken = [waiting.pop(1.0) for _ in range(MOST_SENTENCES + 1)]
    assert taken == ["2", "3", "4", "5", "6", None]


def test_a_stale_sentence_is_not_spoken() -> None:
    waiting = SentenceQueue()
    waiting.put("old news", 0.0)
    waiting.put("news", STALE_S)
    assert waiting.pop(STALE_S + 0.1) == "news"


def test_a_long_sentence_may_take_longer() -> None:
    assert deadline_s("") == 10.0
    assert deadline_s("x" * 100) == pytest.approx(22.0)


@dataclass
class FakeEngine:
    """Speaks into a queue; fails or waits on demand."""

    name: str = "fake"
    failing: bool = False
    busy: asyncio.Event | None = None
    spoken: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    tried: int = 0
    closed: bool = False
    prepared: asyncio.Event = field(default_factory=asyncio.Event)

    async def prepare(self) -> None:
        self.prepared.set()
        if self.failing:
            raise VoiceError("fails")

    async def speak(self, text: str, deadline_s: float) -> None:
        self.tried += 1
        if self.failing:
            raise VoiceError("fails")
        if self.busy is not None:
            await self.busy.wait()
        self.spoken.put_nowait(text)

    async def close(self) -> None:
        self.closed = True


async def spoken(engine: FakeEngine, count: int) -> list[str]:
    async with asyncio.timeout(DEADLINE_S):
        return [await engine.spoken.get() for _ in range(count)]


async def changed(speaker: Speaker, ready: Callable[[], bool]) -> None:
    """Wait for a change of the speaker after which a condition holds."""
    changed = asyncio.Event()
    speaker.on_change = lambda: changed.set() if ready() else None
    if not ready():
        await asyncio.wait_for(changed.wait(), DEADLINE_S)


@pytest.fixture
async def started() -> AsyncIterator[Start]:
    tasks: list[asyncio.Task[None]] = []

    def start(speaker: Speaker) -> Speaker:
        tasks.append(asyncio.create_task(speaker.run()))
        return speaker

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_sentences_are_spoken_in_their_order(started: Start) -> None:
    engine = FakeEngine()
    speaker = started(Speaker([engine]))
    for text in ("one", "two", "three"):
        speaker.say(text)
    assert await spoken(engine, 3) == ["one", "two", "three"]
    assert (speaker.said, speaker.count) == ("three", 3)


async def test_an_engine_is_ready_before_there_is_anything_to_say(started: Start) -> None:
    engine = FakeEngine()
    started(Speaker([engine]))
    await asyncio.wait_for(engine.prepared.wait(), DEADLINE_S)
    assert engine.tried == 0


async def test_say_never_blocks_on_an_engine_that_hangs(started: Start) -> None:
    engine = FakeEngine(busy=asyncio.Event())
    speaker = started(Speaker([engine]))
    started_s = time.monotonic()
    for number in range(20):
        speaker.say(str(number))
        await asyncio.sleep(0)
    assert time.monotonic() - started_s < 0.5
    assert engine.busy is not None
    engine.busy.set()
    assert await spoken(engine, 6) == ["0", "15", "16", "17", "18", "19"]


async def test_after_three_failures_the_next_engine_speaks_the_same_sentence(
    started: Start,
) -> None:
    broken, sound = FakeEngine("broken", failing=True), FakeEngine("sound")
    changes: list[bool] = []
    speaker = started(Speaker([broken, sound]))
    speaker.on_change = lambda: changes.append(speaker.healthy)
    for number in range(MOST_FAILURES):
        speaker.say(str(number))
    assert await spoken(sound, 1) == ["2"]
    assert broken.tried == MOST_FAILURES
    assert speaker.engine is sound
    assert speaker.healthy
    assert changes == [False, True]


async def test_after_the_last_engine_the_box_stays_silent_and_runs_on(started: Start) -> None:
    broken = FakeEngine(failing=True)
    speaker = started(Speaker([broken]))
    for number in range(MOST_FAILURES):
        speaker.say(str(number))
    await changed(speaker, lambda: broken.tried == MOST_FAILURES)
    speaker.say("nobody hears this")
    assert not speaker.healthy
    assert speaker.said == "nobody hears this"


async def test_a_full_disk_is_a_failure_like_any_other(started: Start) -> None:
    engine = FakeEngine(busy=asyncio.Event())
    speaker = started(Speaker([engine, FakeEngine()]))

    async def full(text: str, deadline_s: float) -> None:
        raise OSError(28, "No space left on device")

    engine.speak = full  # type: ignore[method-assign]
    speaker.say("lost")
    await changed(speaker, lambda: not speaker.healthy)
    assert speaker.engine is engine


async def test_a_success_resets_the_count_of_failures(started: Start) -> None:
    engine = FakeEngine(failing=True)
    speaker = started(Speaker([engine]))
    speaker.say("lost")
    await changed(speaker, lambda: not speaker.healthy)
    engine.failing = False
    speaker.say("heard")
    assert await spoken(engine, 1) == ["heard"]
    assert speaker.healthy


async def test_a_muted_speaker_reports_what_it_was_asked_to_say(started: Start) -> None:
    engine = FakeEngine()
    speaker = started(Speaker([engine], muted=True))
    speaker.say("psst")
    speaker.muted = False
    speaker.say("aloud")
    assert await spoken(engine, 1) == ["aloud"]
    assert speaker.count == 2


async def test_at_the_end_every_engine_is_closed() -> None:
    engine = FakeEngine()
    speaker = Speaker([engine])
    task = asyncio.create_task(speaker.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert engine.closed


def test_the_text_is_never_part_of_the_command() -> None:
    command = synthesis(Sound("en", 160, 0.5), "/tmp/x.wav")  # noqa: S108
    assert "--stdin" in command
    assert command[command.index("-a") + 1] == "50"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (EngineChoice.AUTO, ["pyttsx3", "espeak-ng"]),
        (EngineChoice.PYTTSX3, ["pyttsx3"]),
        (EngineChoice.ESPEAK, ["espeak-ng"]),
        (EngineChoice.NONE, []),
    ],
)
def test_the_choice_determines_the_engines_and_their_order(
    choice: EngineChoice, names: list[str]
) -> None:
    assert [engine.name for engine in engines(choice, Sound())] == names


def test_the_chosen_card_is_in_the_environment_of_the_player() -> None:
    assert Sound(card="Device").environment["ALSA_CARD"] == "Device"
    assert "ALSA_CARD" not in Sound().environment


async def test_a_sound_card_that_appears_later_is_used(
    started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigred_agent.voice.speaker.SEARCH_S", 0.01)
    later: list[FakeEngine] = []
    speaker = started(Speaker([], search=lambda: [later.pop()] if later else None))
    speaker.say("nobody hears this")
    assert not speaker.healthy
    engine = FakeEngine()
    changed = asyncio.Event()
    speaker.on_change = changed.set
    later.append(engine)
    await asyncio.wait_for(changed.wait(), 5)
    assert speaker.healthy
    speaker.say("heard")
    assert await spoken(engine, 1) == ["heard"]


async def test_a_replaced_engine_is_tried_again_with_another_card(
    started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigred_agent.voice.speaker.SEARCH_S", 0.01)
    broken, engine = FakeEngine(failing=True), FakeEngine()
    later: list[FakeEngine] = []
    speaker = started(Speaker([broken], search=lambda: [later.pop()] if later else None))
    for number in range(MOST_FAILURES):
        speaker.say(str(number))
    await changed(speaker, lambda: speaker.engine is None)
    later.append(engine)
    await changed(speaker, lambda: speaker.engine is not None)
    speaker.say("heard")
    assert await spoken(engine, 1) == ["heard"]
    assert broken.closed
