"""The voice with the real pyttsx3 and espeak-ng; a fake `aplay` keeps the files it gets."""

import asyncio
import contextlib
import os
import signal
import stat
import sys
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.until import until

from bigred_agent.errors import VoiceError
from bigred_agent.settings import VoiceSettings
from bigred_agent.voice import sound_card
from bigred_agent.voice.engine import Engine, Sound
from bigred_agent.voice.espeak_engine import EspeakEngine
from bigred_agent.voice.once import speak_once
from bigred_agent.voice.pyttsx3_engine import Pyttsx3Engine
from bigred_agent.voice.sound_card import CardChoice
from bigred_agent.voice.speaker import Speaker
from bigred_broker import program

DEADLINE_S = 30.0
PATIENCE_S = 15.0
AGENT = Path(sys.executable).with_name("bigred-agent")

# Called as `aplay -l`, `aplay FILE -q` or `aplay -q FILE`.
APLAY = """#!/bin/sh
[ "$1" = "-l" ] && { echo "card 0: Fake [Fake], device 0: Fake"; exit 0; }
for last in "$@"; do [ "$last" = "-q" ] || file="$last"; done
[ -e "$HEARD/broken" ] && { echo "aplay: cannot play" >&2; exit 1; }
[ -e "$HEARD/hangs" ] && { : > "$HEARD/hanging"; exec sleep 300; }
n=$(ls "$HEARD" | grep -c wav)
echo "$ALSA_CARD" > "$HEARD/$n.card"
cp "$file" "$HEARD/.part" && mv "$HEARD/.part" "$HEARD/$n.wav"
"""

# Called as `python -m bigred_agent.voice.child ARGS`. What pyttsx3 does last on espeak's own thread
# takes a while, as on a machine that is busy; a sentence that it would cancel ends the program.
SLOW_PYTHON = """#!{python}
import os, runpy, sys, threading, time
from pyttsx3.drivers import _espeak
from pyttsx3.drivers.espeak import EspeakDriver
end, stop = EspeakDriver.endLoop, EspeakDriver.stop
def end_slowly(driver):
    end(driver)
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.3)
def stop_nothing(driver):
    if _espeak.IsPlaying():
        os._exit(1)
    stop(driver)
EspeakDriver.endLoop, EspeakDriver.stop = end_slowly, stop_nothing
module = sys.argv[2]
del sys.argv[1:3]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the played files: 0.wav, 1.wav and so on."""
    programs, heard = tmp_path / "bin", tmp_path / "heard"
    programs.mkdir()
    heard.mkdir()
    aplay = programs / "aplay"
    aplay.write_text(APLAY)
    aplay.chmod(aplay.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HEARD", str(heard))
    return heard


def seconds(file: Path) -> float:
    """Return the length of a recording; fail if it is silent."""
    with wave.open(str(file)) as recording:
        frames = recording.readframes(recording.getnframes())
        assert any(frames), "silence"
        return float(recording.getnframes() / recording.getframerate())


@pytest.mark.parametrize("make", [Pyttsx3Engine, EspeakEngine])
async def test_every_sentence_is_heard_once_and_to_its_end(
    heard: Path, make: Callable[[Sound], Engine]
) -> None:
    engine = make(Sound())
    texts = [
        "Firing missiles!",
        "System is armed! Shop 1.4.2 by Ada, to four servers.",
        "Node one of three done.",
        "Firing missiles!",
    ]
    try:
        for text in texts:
            await engine.speak(text, PATIENCE_S)
    finally:
        await engine.close()
    lengths = [seconds(heard / f"{number}.wav") for number in range(len(texts))]
    assert _recordings(heard) == len(texts)
    assert lengths[0] == pytest.approx(lengths[3], abs=0.05), "the same sentence"
    assert lengths[1] > 2 * lengths[0]
    assert 0.5 < lengths[0] < 3


async def test_every_sentence_is_heard_though_espeak_s_own_thread_is_slow(
    heard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text(SLOW_PYTHON.format(python=sys.executable))
    slow.chmod(slow.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(sys, "executable", str(slow))
    engine = Pyttsx3Engine(Sound())
    texts = ["Firing missiles!", "System is armed! Shop 1.4.2 by Ada, to four servers."] * 2
    try:
        for text in texts:
            await engine.speak(text, PATIENCE_S)
    finally:
        await engine.close()
    lengths = [seconds(heard / f"{number}.wav") for number in range(len(texts))]
    assert _recordings(heard) == len(texts)
    assert lengths[:2] == pytest.approx(lengths[2:], abs=0.05), "the same sentences"


async def test_a_hanging_engine_is_killed_with_its_children_and_the_next_sentence_is_heard(
    heard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(heard))
    engine = Pyttsx3Engine(Sound())
    (heard / "hangs").touch()
    with pytest.raises(VoiceError, match="pyttsx3 was not done"):
        await engine.speak("This hangs.", 3.0)
    assert (heard / "hanging").exists()
    assert not _running(heard, "sleep", "300")
    left = sorted(file.name for file in await asyncio.to_thread(lambda: [*heard.iterdir()]))
    assert left == ["hanging", "hangs"], "no recording is left behind"
    (heard / "hangs").unlink()
    await engine.speak("This is heard.", PATIENCE_S)
    await engine.close()
    assert seconds(heard / "0.wav") > 0.3


async def test_a_speaker_falls_back_to_espeak_when_pyttsx3_can_t_speak(
    heard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Pyttsx3Engine(Sound(voice="no-such-voice"))
    # A Python that can't even start stands for every kind of failure.
    monkeypatch.setattr(sys, "executable", "/bin/false")
    speaker = Speaker([broken, EspeakEngine(Sound())])
    task = asyncio.create_task(speaker.run())
    healthy = asyncio.Event()
    speaker.on_change = lambda: healthy.set() if speaker.healthy else None
    for text in ("Lost.", "Lost, too.", "Heard by the other engine."):
        speaker.say(text)
    await asyncio.wait_for(healthy.wait(), DEADLINE_S)
    assert speaker.engine is not None
    assert speaker.engine.name == "espeak-ng"
    await until((heard / "0.wav").exists, DEADLINE_S, "the sentence is heard")
    task.cancel()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert seconds(heard / "0.wav") > 1


async def test_espeak_reports_the_errors_of_aplay(heard: Path) -> None:
    (heard / "broken").touch()
    with pytest.raises(VoiceError, match="aplay failed: aplay: cannot play"):
        await EspeakEngine(Sound()).speak("Nobody hears this.", PATIENCE_S)


async def test_espeak_that_hangs_is_killed(heard: Path) -> None:
    (heard / "hangs").touch()
    with pytest.raises(VoiceError, match="espeak-ng was not done"):
        await EspeakEngine(Sound()).speak("This hangs.", 1.0)
    assert not _running(heard, "sleep", "300")


async def test_text_that_looks_like_a_command_or_an_option_is_only_spoken(heard: Path) -> None:
    text = f"--help; touch {heard}/owned $(touch {heard}/owned) <speak> `x` \\"
    for engine in (Pyttsx3Engine(Sound()), EspeakEngine(Sound())):
        await engine.speak(text, PATIENCE_S)
        await engine.close()
    assert not (heard / "owned").exists()
    assert _recordings(heard) == 2


async def test_a_quieter_voice_is_quieter(heard: Path) -> None:
    for volume in (1.0, 0.3):
        engine = Pyttsx3Engine(Sound(volume=volume))
        await engine.speak("Firing missiles!", PATIENCE_S)
        await engine.close()
    loud, quiet = (_peak(heard / f"{number}.wav") for number in range(2))
    assert quiet < loud / 2


async def test_say_without_text_speaks_the_test_phrase(heard: Path) -> None:
    await speak_once("", VoiceSettings())
    assert seconds(heard / "0.wav") > 0.5


async def test_the_command_say_is_heard(heard: Path) -> None:
    agent = await asyncio.create_subprocess_exec(AGENT, "say", "Firing", "missiles!")
    async with asyncio.timeout(DEADLINE_S):
        assert await agent.wait() == 0
    assert seconds(heard / "0.wav") > 0.5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_an_agent_that_ends_while_it_speaks_leaves_nothing_behind(
    heard: Path, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    (heard / "hangs").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    agent = await asyncio.create_subprocess_exec(
        AGENT, "run", "--broker", f"127.0.0.1:{program.free_port()}",
        "--simulated", tmp_path / "b.sock", stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    # There is no broker, which the box announces, and its aplay hangs.
    await until((heard / "hanging").exists, DEADLINE_S, "the agent speaks")
    assert _running(heard, "sleep", "300")
    agent.send_signal(number)
    async with asyncio.timeout(DEADLINE_S):
        await agent.wait()
    await until(lambda: not _running(heard, "sleep", "300"), DEADLINE_S, "its aplay is gone")
    await until(lambda: not _running(heard, sys.executable, "-m"), DEADLINE_S, "its voice is gone")
    await until(
        lambda: not list(tmp_path.glob("bigred-voice-*")),
        DEADLINE_S,
        "its temporary files are gone",
    )


def test_the_sound_card_is_found_through_aplay_and_missed_without_it(
    heard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sound_card.choose() == CardChoice("Fake")
    monkeypatch.setenv("PATH", str(heard))
    assert sound_card.choose() == CardChoice(problem=sound_card.NO_PLAYER)


@pytest.mark.parametrize("make", [Pyttsx3Engine, EspeakEngine])
async def test_the_player_gets_the_card(heard: Path, make: Callable[[Sound], Engine]) -> None:
    engine = make(Sound(card="Fake"))
    await engine.speak("Firing missiles!", PATIENCE_S)
    await engine.close()
    assert (heard / "0.card").read_text() == "Fake\n"


def _peak(file: Path) -> int:
    with wave.open(str(file)) as recording:
        samples = memoryview(recording.readframes(recording.getnframes())).cast("h")
    return max(abs(sample) for sample in samples)


def _running(heard: Path, *argv: str) -> bool:
    """Return whether a process with these first arguments uses our fake aplay."""
    wanted, ours = "\0".join(argv).encode() + b"\0", f"HEARD={heard}\0".encode()
    for process in Path("/proc").glob("[0-9]*"):
        # A process that ends in the meantime is not running.
        with contextlib.suppress(OSError):
            named = (process / "cmdline").read_bytes().startswith(wanted)
            if named and ours in (process / "environ").read_bytes():
                return True
    return False


def _recordings(heard: Path) -> int:
    return len(list(heard.glob("*.wav")))
