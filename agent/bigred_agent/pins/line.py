"""A line of a GPIO chip, requested at its first use and held until released."""

import contextlib
import errno

import gpiod
from gpiod.line import Bias, Direction, Value
from gpiod.line_info import LineInfo

from bigred_agent.pins import errors
from bigred_agent.pins.kernel import Chip, Lines

CONSUMER = "bigred"  # what gpioinfo shows
_FLOATING = gpiod.LineSettings(direction=Direction.INPUT, bias=Bias.DISABLED)


class Line:
    """A line by its offset; `name` is for error texts. All calls raise BusyError and OSError."""

    def __init__(self, chip: Chip, offset: int, name: str) -> None:
        self._chip = chip
        self._offset = offset
        self._name = name
        self._lines: Lines | None = None

    @property
    def info(self) -> LineInfo:
        """The settings of the line. Does not request it."""
        return self._chip.get_line_info(self._offset)

    @property
    def requested(self) -> Lines:
        """The kernel's request, made with unchanged settings if there is none yet."""
        return self._lines or self.configure(gpiod.LineSettings())

    @property
    def level(self) -> bool:
        """The voltage: low or high."""
        return self.requested.get_value(self._offset) is Value.ACTIVE

    @level.setter
    def level(self, high: bool) -> None:
        self.requested.set_value(self._offset, value(high))

    def configure(self, settings: gpiod.LineSettings) -> Lines:
        """Set the line, in one step with requesting it."""
        if self._lines is not None:
            self._lines.reconfigure_lines({self._offset: settings})
            return self._lines
        try:
            self._lines = self._chip.request_lines({self._offset: settings}, consumer=CONSUMER)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            raise errors.BusyError(self._busy()) from error
        return self._lines

    def release(self) -> None:
        """Make it a floating input, then release it: the kernel would leave a light lit."""
        lines, self._lines = self._lines, None
        if lines is None:
            return
        with contextlib.suppress(OSError):  # the chip was unplugged
            lines.reconfigure_lines({self._offset: _FLOATING})
        lines.release()

    def _busy(self) -> str:
        consumer = self.info.consumer
        if consumer == CONSUMER:
            return errors.BUSY_BY_US.format(pin=self._name)
        return errors.BUSY.format(pin=self._name, consumer=consumer or "the kernel")


def value(high: bool) -> Value:
    """Return gpiod's value for a level."""
    return Value.ACTIVE if high else Value.INACTIVE
