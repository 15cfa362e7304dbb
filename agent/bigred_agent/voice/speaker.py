"""The voice of the box: takes sentences at once, speaks them in its own time.

Whoever calls `say` never waits. An engine that fails three times in a row is given up for the next
one; after the last there is silence, and the box goes on, until other sound cards are there.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from bigred_agent.errors import VoiceError
from bigred_agent.voice.engine import Engine, deadline_s
from bigred_agent.voice.text import clean
from bigred_agent.voice.waiting import WaitingSentences

log = structlog.get_logger(__name__)

MOST_FAILURES = 3
LOOK_S = 3.0


@dataclass
class Speaker:
    """Run `run()` as a task. `changed` is called when its engine or health changes.

    `look` gives other engines, to begin anew with, or None while those there are will do.
    """

    engines: Sequence[Engine]
    muted: bool = False
    look: Callable[[], Sequence[Engine] | None] = lambda: None
    changed: Callable[[], None] = lambda: None
    said: str = ""
    count: int = 0
    _at: int = 0
    _failures: int = 0
    _found: Sequence[Engine] | None = None
    _waiting: WaitingSentences = field(default_factory=WaitingSentences)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def engine(self) -> Engine | None:
        """What speaks at present; None is silence."""
        return self.engines[self._at] if self._at < len(self.engines) else None

    @property
    def healthy(self) -> bool:
        """Whether a sentence would be heard, as far as one can know."""
        return self.engine is not None and self._failures == 0

    def say(self, text: str) -> None:
        """Speak a text as soon as may be. Returns at once; never raises."""
        text = clean(text)
        if not text:
            return
        self.said = text
        self.count += 1
        log.info("say", text=text, muted=self.muted)
        if self.muted:
            return
        if self._waiting.put(text, time.monotonic()):
            log.warning("the voice can't keep up; the oldest sentence is dropped")
        self._news.set()

    async def run(self) -> None:
        """Speak until cancelled; then leave no process behind."""
        following = asyncio.create_task(self._follow())
        try:
            await self._prepare()
            while True:
                await self._news.wait()
                self._news.clear()
                await self._begin_anew()
                while (text := self._waiting.take(time.monotonic())) is not None:
                    await self._speak(text)
        finally:
            following.cancel()
            await self._close()

    async def _follow(self) -> None:
        """Look for other engines from time to time; a sentence that is being spoken ends first."""
        while True:
            await asyncio.sleep(LOOK_S)
            found = await asyncio.to_thread(self.look)
            if found is not None:
                self._found = found
                self._news.set()

    async def _begin_anew(self) -> None:
        found, self._found = self._found, None
        if found is None:
            return
        await self._close()
        self.engines, self._at, self._failures = found, 0, 0
        self.changed()
        await self._prepare()

    async def _prepare(self) -> None:
        # What fails here fails again with the first sentence, and counts then.
        with contextlib.suppress(VoiceError, OSError):
            if self.engine is not None:
                await self.engine.prepare()

    async def _close(self) -> None:
        for engine in self.engines:
            await engine.close()

    async def _speak(self, text: str) -> None:
        """Speak one sentence, by the next engine if it must be."""
        while (engine := self.engine) is not None and not self.muted:
            before = (engine, self.healthy)
            try:
                await engine.speak(text, deadline_s(text))
            except (VoiceError, OSError) as error:
                # OSError: no process can be started, or no file written, at the moment.
                self._failed(engine, error)
            else:
                self._failures = 0
            if (self.engine, self.healthy) != before:
                self.changed()
            if self.engine is engine:
                return

    def _failed(self, engine: Engine, error: Exception) -> None:
        self._failures += 1
        log.warning("a sentence was not spoken", engine=engine.name, reason=str(error))
        if self._failures < MOST_FAILURES:
            return
        self._failures = 0
        self._at += 1
        following = self.engine.name if self.engine else "silence"
        log.warning("the voice's engine is given up", engine=engine.name, following=following)
