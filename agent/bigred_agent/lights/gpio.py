"""The lights on a Raspberry Pi's pins, over gpiozero.

The pins go back to inputs when the agent ends: a dark light is a dead agent. lgpio, the only pin
library of a Pi 5, makes a named pipe in the working folder when it is imported and fails where it
may not write (gpiozero #1106); LG_WD tells it another place.
"""

import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any  # gpiozero has no types

from bigred_agent.errors import LightsError
from bigred_agent.lights.patterns import Colour

MISSING = "the lights need the Python package gpiozero; install bigred with its extra 'agent'"
MEND = (
    "on a Raspberry Pi install python3-lgpio and put the agent's user into the group gpio; "
    "on a machine without lights set [lights] enabled = false"
)


class GpioLamp:
    """A Lamp on BCM pin numbers. Raises LightsError when there are no such pins here."""

    is_real = True

    def __init__(self, rgb: tuple[int, int, int], bar: Sequence[int], *, active_high: bool) -> None:
        _give_lgpio_a_folder()
        try:
            with warnings.catch_warnings():
                # gpiozero warns once for each pin library that is not there; our error tells all.
                warnings.simplefilter("ignore")
                self._rgb, self._bar = _make(rgb, bar, active_high)
        except ImportError as error:
            raise LightsError(MISSING) from error
        self.bar_length = len(bar)

    def colour(self, colour: Colour) -> None:
        """Switch the three channels."""
        self._rgb.value = colour.channels

    def bar(self, lit: tuple[bool, ...]) -> None:
        """Switch the LEDs of the bar."""
        if self._bar is not None:
            self._bar.value = lit

    def close(self) -> None:
        """Give the pins back; they go dark."""
        self._rgb.close()
        if self._bar is not None:
            self._bar.close()


def _make(rgb: tuple[int, int, int], bar: Sequence[int], active_high: bool) -> tuple[Any, Any]:
    import gpiozero

    try:
        led = gpiozero.RGBLED(*rgb, active_high=active_high, pwm=False)
        if not bar:
            return led, None
        try:
            return led, gpiozero.LEDBoard(*bar, active_high=active_high, pwm=False)
        except gpiozero.GPIOZeroError:
            led.close()
            raise
    except gpiozero.BadPinFactory as error:
        raise LightsError(f"no GPIO pins on this machine; {MEND}") from error
    except (gpiozero.GPIOZeroError, OSError) as error:
        raise LightsError(f"the GPIO pins can't be used: {error}; {MEND}") from error


def _give_lgpio_a_folder() -> None:
    if not os.access(Path.cwd(), os.W_OK):
        os.environ.setdefault("LG_WD", tempfile.gettempdir())
