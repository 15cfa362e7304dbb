"""A simulated button: controlled through a socket, by the keyboard, or by a test.

It is polled like a real one, so measurements with it are realistic. Each level of a contact lasts
longer than the refractory time, even if commands come faster than anybody could press.
"""

import threading
from collections import deque
from dataclasses import dataclass, field, replace

from bigred_agent.buttons.reading import Reading
from bigred_agent.errors import ButtonAbsentError, ButtonError
from bigred_broker.button import Lid

NAME = "simulated button"
UNPLUGGED = "the simulated button is unplugged"
COMMANDS = ("open", "close", "press", "down", "up", "unplug", "plug")
_LEVEL_POLLS = 5  # at 15 ms each, longer than the refractory time of 60 ms

_LEVELS: dict[str, tuple[tuple[str, Lid | bool], ...]] = {
    "open": (("lid", Lid.OPEN),),
    "close": (("lid", Lid.CLOSED),),
    "down": (("pressed", True),),
    "up": (("pressed", False),),
    "press": (("pressed", True), ("pressed", False)),
}


class UnknownCommandError(ButtonError, ValueError):
    """A simulated button received an unknown command."""


@dataclass
class SimulatedButton:
    """A Button; `command` may be called from any thread."""

    name: str = NAME
    _reading: Reading = field(default_factory=lambda: Reading(Lid.CLOSED, pressed=False))
    _plugged: bool = True
    _ahead: deque[tuple[str, Lid | bool]] = field(default_factory=deque)
    _polls: int = 0
    # The poll from which each contact may change again; the contacts are independent.
    _free_at: dict[str, int] = field(default_factory=lambda: {"lid": 0, "pressed": 0})
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def command(self, word: str) -> None:
        """Carry out one of COMMANDS. Raises UnknownCommandError for anything else."""
        if word not in COMMANDS:
            raise UnknownCommandError(f"unknown command {word!r}; use {', '.join(COMMANDS)}")
        with self._lock:
            if word in ("plug", "unplug"):
                self._plugged = word == "plug"
            else:
                self._ahead.extend(_LEVELS[word])

    def toggle_plug(self) -> None:
        """Unplug it, or plug it in again."""
        self.command("unplug" if self._plugged else "plug")

    def open(self) -> None:
        """Succeed while it is plugged in."""
        if not self._plugged:
            raise ButtonAbsentError(UNPLUGGED)

    def read(self) -> Reading:
        """Return the levels; a queued one follows when the previous one has lasted long enough."""
        with self._lock:
            if not self._plugged:
                raise ButtonAbsentError(UNPLUGGED)
            self._polls += 1
            if self._ahead and self._polls >= self._free_at[self._ahead[0][0]]:
                name, level = self._ahead.popleft()
                self._free_at[name] = self._polls + _LEVEL_POLLS
                if name == "lid" and isinstance(level, Lid):
                    self._reading = replace(self._reading, lid=level)
                else:
                    self._reading = replace(self._reading, pressed=bool(level))
            return self._reading

    def close(self) -> None:
        """Do nothing: there is no device to release."""
