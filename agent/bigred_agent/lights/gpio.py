"""The lights on a Raspberry Pi's pins, over gpiozero; `pins/choice.py` chooses the library.

The pins become inputs again when the agent ends: dark lights mean that it is not running. On
import, lgpio creates a named pipe in the working folder and fails if it may not write there
(gpiozero #1106); LG_WD sets another folder. No light needs PWM, which the kernel's own interface
lacks.
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
FIX = "choose other pins in [lights], or set enabled = false"


class GpioLamp:
    """A Lamp on BCM pin numbers. `chip` names a GPIO chip other than a Raspberry Pi's header.

    Raises LightsError, with the fix after a semicolon, if this machine lacks the pins.
    """

    is_real = True

    def __init__(
        self,
        rgb: tuple[int, int, int],
        bar: Sequence[int],
        *,
        active_high: bool,
        chip: str | None = None,
    ) -> None:
        _set_lgpio_folder()
        try:
            with warnings.catch_warnings():
                # gpiozero warns about a second-best pin library; the doctor reports it.
                warnings.simplefilter("ignore")
                self.library = _choose(chip)
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
        """Release the pins; the lights go dark."""
        self._rgb.close()
        if self._bar is not None:
            self._bar.close()


def _choose(chip: str | None) -> str:
    import gpiozero

    from bigred_agent.pins import choice

    try:
        return choice.describe(choice.pin_factory(chip))
    except gpiozero.BadPinFactory as error:
        raise LightsError(f"no GPIO pins: {error}") from error


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
    except (gpiozero.GPIOZeroError, OSError) as error:
        seen, _, fix = str(error).partition("; ")
        raise LightsError(f"the GPIO pins can't be used: {seen}; {fix or FIX}") from error


def _set_lgpio_folder() -> None:
    if not os.access(Path.cwd(), os.W_OK):
        os.environ.setdefault("LG_WD", tempfile.gettempdir())
