"""Controls the simulated button with the keys of a terminal."""

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator

from bigred_agent.buttons.simulated import SimulatedButton
from bigred_agent.errors import ButtonError

HELP = "keys: o open the lid, c close it, space press, h hold, u unplug or plug in, q quit"
NO_TERMINAL = "the keyboard button needs a terminal; use --simulated SOCKET instead"
_HOLD_S = 3.5
_COMMANDS = {"o": "open", "c": "close", " ": "press"}


@contextlib.contextmanager
def listening(button: SimulatedButton, leave: Callable[[], object]) -> Iterator[None]:
    """Let keys control the button while the block runs; `q` calls `leave`.

    Raises ButtonError if standard input is not a terminal. Restores the terminal's settings.
    """
    if not sys.stdin.isatty():
        raise ButtonError(NO_TERMINAL)
    loop = asyncio.get_running_loop()
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def read() -> None:
        keys = os.read(terminal, 32).decode(errors="replace").lower()
        if not keys:
            leave()
        for key in keys:
            _key(key)

    def _key(key: str) -> None:
        if key in _COMMANDS:
            button.command(_COMMANDS[key])
        elif key == "h":
            button.command("down")
            loop.call_later(_HOLD_S, button.command, "up")
        elif key == "u":
            button.toggle_plug()
        elif key == "q":
            leave()

    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
