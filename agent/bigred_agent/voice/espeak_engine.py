"""Speaks with the commands espeak-ng and aplay: no shell, and the text only on standard input."""

import asyncio
import contextlib
import os
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_agent.errors import VoiceError
from bigred_agent.voice.engine import Sound

_ESPEAK_FULL = 100  # its amplitude goes to 200, which distorts


@dataclass
class EspeakEngine:
    """An Engine. It starts new processes for each sentence, so no state can be left over."""

    sound: Sound
    name: str = "espeak-ng"
    _running: Process | None = None

    async def prepare(self) -> None:
        """Do nothing: each sentence starts its own processes."""

    async def speak(self, text: str, deadline_s: float) -> None:
        """Write a WAV file and play it."""
        with tempfile.TemporaryDirectory(prefix="bigred-voice-") as folder:
            wav = str(Path(folder) / "speech.wav")
            try:
                async with asyncio.timeout(deadline_s):
                    await self._run(synthesis(self.sound, wav), text)
                    await self._run(("aplay", "-q", wav), "")
            except TimeoutError as error:
                raise VoiceError(f"espeak-ng was not done within {deadline_s:.0f} s") from error

    async def close(self) -> None:
        """Kill the running process."""
        if self._running is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGKILL)

    async def _run(self, argv: Sequence[str], text: str) -> None:
        try:
            self._running = await asyncio.create_subprocess_exec(
                *argv,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=PIPE,
                env=self.sound.environment,
                start_new_session=True,
            )
        except OSError as error:
            raise VoiceError(f"{argv[0]} can't be started: {error}") from error
        try:
            _, errors = await self._running.communicate(text.encode())
        except asyncio.CancelledError:
            await self.close()
            await self._running.wait()
            raise
        if self._running.returncode:
            last = errors.decode(errors="replace").strip().splitlines()[-1:]
            raise VoiceError(f"{argv[0]} failed: {' '.join(last)}")


def synthesis(sound: Sound, wav: str) -> tuple[str, ...]:
    """Return the command that speaks its standard input to a WAV file."""
    amplitude = str(round(sound.volume * _ESPEAK_FULL))
    return (
        "espeak-ng", "--stdin", "-v", sound.voice, "-s", str(sound.rate), "-a", amplitude, "-w", wav
    )  # fmt: skip
