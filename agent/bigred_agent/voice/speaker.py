"""The voice of the box: accepts sentences at once and speaks them when it can.

`say` never blocks. An engine that fails three times in a row is replaced by the next one. After
the last one the box stays silent, but keeps running, until the sound cards change.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from bigred_agent.errors import VoiceError
from bigred_agent.voice.engine import Engine, deadline_s
from bigred_agent.voice.sentence_queue import SentenceQueue
from bigred_agent.voice.text import clean

log = structlog.get_logger(__name__)

MOST_FAILURES = 3
SEARCH_S = 3.0


@dataclass
class Speaker:
    """Run `run()` as a task. `on_change` is called when its engine or health changes.

    `search` returns new engines to switch to, or None to keep the current ones.
    """

    engines: Sequence[Engine]
    muted: bool = False
    search: Callable[[], Sequence[Engine] | None] = lambda: None
    on_change: Callable[[], None] = lambda: None
    said: str = ""
    count: int = 0
    _at: int = 0
    _failures: int = 0
    _found: Sequence[Engine] | None = None
    _waiting: SentenceQueue = field(default_factory=SentenceQueue)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def engine(self) -> Engine | None:
        """The current engine; None for silence."""
        return self.engines[self._at] if self._at < len(self.engines) else None

    @property
    def healthy(self) -> bool:
        """Whether a sentence would be heard, as far as is known."""
        return self.engine is not None and self._failures == 0

    def say(self, text: str) -> None:
        """Speak a text as soon as possible. Returns at once; never raises."""
        text = clean(text)
        if not text:
            return
        self.said = text
        self.count += 1
        log.info("say", text=text, muted=self.muted)
        if self.muted:
            return
        if self._waiting.put(text, time.monotonic()):
            log.warning("the voice can't keep up; the oldest sentence was dropped")
        self._wake.set()

    async def run(self) -> None:
        """Speak until cancelled; then end all processes."""
        searching = asyncio.create_task(self._keep_searching())
        try:
            await self._prepare()
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._switch()
                while (text := self._waiting.pop(time.monotonic())) is not None:
                    await self._speak(text)
        finally:
            searching.cancel()
            await self._close()

    async def _keep_searching(self) -> None:
        """Search for new engines regularly; the current sentence ends before a switch."""
        while True:
            await asyncio.sleep(SEARCH_S)
            found = await asyncio.to_thread(self.search)
            if found is not None:
                self._found = found
                self._wake.set()

    async def _switch(self) -> None:
        found, self._found = self._found, None
        if found is None:
            return
        await self._close()
        self.engines, self._at, self._failures = found, 0, 0
        self.on_change()
        await self._prepare()

    async def _prepare(self) -> None:
        # A failure here recurs with the first sentence, and counts then.
        with contextlib.suppress(VoiceError, OSError):
            if self.engine is not None:
                await self.engine.prepare()

    async def _close(self) -> None:
        for engine in self.engines:
            await engine.close()

    async def _speak(self, text: str) -> None:
        """Speak one sentence, with the next engine if the current one is replaced."""
        while (engine := self.engine) is not None and not self.muted:
            before = (engine, self.healthy)
            try:
                await engine.speak(text, deadline_s(text))
            except (VoiceError, OSError) as error:
                # OSError: no process can be started or no file written at the moment.
                self._failed(engine, error)
            else:
                self._failures = 0
            if (self.engine, self.healthy) != before:
                self.on_change()
            if self.engine is engine:
                return

    def _failed(self, engine: Engine, error: Exception) -> None:
        self._failures += 1
        log.warning("sentence not spoken", engine=engine.name, reason=str(error))
        if self._failures < MOST_FAILURES:
            return
        self._failures = 0
        self._at += 1
        following = self.engine.name if self.engine else "silence"
        log.warning("engine replaced", engine=engine.name, following=following)
