"""Plays a pattern on the lamp, step by step, until another one is shown."""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field

from bigred_agent.lights.lamp import Lamp
from bigred_agent.lights.patterns import Colour, Light, Pattern, Patterns, bar


@dataclass
class Player:
    """Run `run()` as a task; call `show` whenever the light may have changed."""

    lamp: Lamp
    patterns: Patterns
    light: Light = field(default_factory=lambda: Light(Pattern.OFFLINE))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _colour: Colour | None = None

    def show(self, light: Light) -> None:
        """Show this from now on. Repeating the same light costs nothing."""
        if light == self.light:
            return
        if light.progress != self.light.progress:
            self.lamp.bar(bar(light.progress, self.lamp.bar_length))
        if light.pattern is not self.light.pattern:
            self._changed.set()
        self.light = light

    async def run(self) -> None:
        """Play until cancelled; then go dark."""
        try:
            while True:
                self._changed.clear()
                await self._play(self.light.pattern)
        finally:
            self.lamp.close()

    async def _play(self, pattern: Pattern) -> None:
        steps = self.patterns[pattern]
        for colour, seconds in itertools.cycle(steps):
            if colour is not self._colour:
                self._colour = colour
                self.lamp.colour(colour)
            with contextlib.suppress(TimeoutError):
                # A steady light needs no timer.
                await asyncio.wait_for(self._changed.wait(), seconds if len(steps) > 1 else None)
                return
