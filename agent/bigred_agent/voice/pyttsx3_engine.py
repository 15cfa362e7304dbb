"""Speaks with pyttsx3 in a child process, which is killed if it takes too long."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass

from bigred_agent.errors import VoiceError
from bigred_agent.voice.engine import Sound

START_DEADLINE_S = 15.0


@dataclass
class Pyttsx3Engine:
    """An Engine. The child starts before the first sentence, and again after each failure."""

    sound: Sound
    name: str = "pyttsx3"
    _child: Process | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = None

    async def prepare(self) -> None:
        """Start the child, which takes seconds on a small machine."""
        try:
            await self._started()
        except BaseException:
            await self._kill()
            raise

    async def speak(self, text: str, deadline_s: float) -> None:
        """Speak through the child; kill it and its children if it fails or is late."""
        try:
            child = await self._started()
            await _ask(child, text)
            await _expect(child, "done", deadline_s)
        except BaseException:
            await self._kill()
            raise

    async def close(self) -> None:
        """Kill the child: anything gentler could hang."""
        await self._kill()

    async def _started(self) -> Process:
        if self._child is None:
            self._child = await self._start()
            await _expect(self._child, "ready", START_DEADLINE_S)
        return self._child

    async def _start(self) -> Process:
        sound = self.sound
        # A killed pyttsx3 leaves its WAV file behind; it is removed with the folder.
        self._folder = tempfile.TemporaryDirectory(prefix="bigred-voice-")
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bigred_agent.voice.child",
            sound.voice,
            str(sound.rate),
            str(sound.volume),
            self._folder.name,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={**sound.environment, "TMPDIR": self._folder.name},
            # Its own group, so that aplay dies with it.
            start_new_session=True,
        )

    async def _kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


async def _ask(child: Process, text: str) -> None:
    assert child.stdin is not None  # noqa: S101  # it was started with a pipe
    try:
        child.stdin.write(f"{json.dumps(text)}\n".encode())
        await child.stdin.drain()
    except ConnectionError as error:
        raise VoiceError("pyttsx3 crashed") from error


async def _expect(child: Process, word: str, deadline_s: float) -> None:
    assert child.stdout is not None  # noqa: S101  # it was started with a pipe
    try:
        line = await asyncio.wait_for(child.stdout.readline(), deadline_s)
    except TimeoutError as error:
        raise VoiceError(f"pyttsx3 was not {word} within {deadline_s:.0f} s") from error
    if not line:
        raise VoiceError("pyttsx3 crashed")
    answer = json.loads(line)
    if answer["answer"] != word:
        raise VoiceError(f"pyttsx3 failed: {answer['text']}")
