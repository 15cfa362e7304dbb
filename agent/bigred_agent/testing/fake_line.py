"""A GPIO line without hardware, as strict as the kernel's."""

import errno
import os
import time
from dataclasses import dataclass, field

import gpiod
from gpiod.line import Bias, Direction, Edge, Value

from bigred_agent.pins.kernel import Config

Type = gpiod.EdgeEvent.Type


def kernel_error(number: int) -> OSError:
    """Return the error Python raises for an errno, in its subclass if there is one."""
    return OSError(number, os.strerror(number))


@dataclass
class FakeLine:
    """A line: its settings, its level, and its consumer."""

    name: str = ""
    settings: gpiod.LineSettings = field(
        default_factory=lambda: gpiod.LineSettings(direction=Direction.INPUT)
    )
    level: bool = False
    consumer: str | None = None  # None: not requested; "": by a consumer without a name
    events: list[gpiod.EdgeEvent] = field(default_factory=list)
    _ends: tuple[int, int] | None = None

    def configure(self, new: gpiod.LineSettings) -> None:
        """Set direction, bias and edges together."""
        is_input = new.direction is Direction.INPUT
        if not is_input and (new.edge_detection is not Edge.NONE or new.bias is not Bias.AS_IS):
            raise kernel_error(errno.EINVAL)
        if new.direction is Direction.AS_IS:
            return
        self.settings = new
        if new.direction is Direction.OUTPUT:
            self.level = bool(new.output_value)
        elif new.bias in (Bias.PULL_UP, Bias.PULL_DOWN):
            self.level = new.bias is Bias.PULL_UP

    def request(self, consumer: str, new: gpiod.LineSettings) -> int:
        """Assign the line to a consumer; return the file descriptor of its edges."""
        if self.consumer is not None:
            raise kernel_error(errno.EBUSY)
        self.configure(new)
        self.consumer = consumer
        self._ends = os.pipe()
        return self._ends[0]

    def drive(self, level: bool) -> None:
        """Change an input's level from outside."""
        if level is self.level:
            return
        self.level = level
        wanted = self.settings.edge_detection
        if self._ends and wanted in (Edge.BOTH, Edge.RISING if level else Edge.FALLING):
            kind = Type.RISING_EDGE if level else Type.FALLING_EDGE
            self.events.append(gpiod.EdgeEvent(kind.value, time.monotonic_ns(), 0, 1, 1))
            os.write(self._ends[1], b"!")

    def read(self) -> list[gpiod.EdgeEvent]:
        """Return the pending edges; wait for the first."""
        if self._ends:
            os.read(self._ends[0], 4096)
        events, self.events = self.events, []
        return events

    def release(self) -> None:
        """Free the line; its level stays."""
        for end in self._ends or ():
            os.close(end)
        self.consumer, self._ends = None, None


class FakeLines:
    """A request of one line."""

    def __init__(self, line: FakeLine, fd: int) -> None:
        self._line: FakeLine | None = line
        self.fd = fd

    @property
    def _held(self) -> FakeLine:
        if self._line is None:
            raise gpiod.RequestReleasedError
        return self._line

    def get_value(self, line: int | str) -> Value:
        """Read the level."""
        return Value.ACTIVE if self._held.level else Value.INACTIVE

    def set_value(self, line: int | str, value: Value) -> None:
        """Set the level of an output."""
        if self._held.settings.direction is not Direction.OUTPUT:
            raise kernel_error(errno.EPERM)
        self._held.level = bool(value)

    def reconfigure_lines(self, config: Config) -> None:
        """Change the settings."""
        for settings in config.values():
            self._held.configure(settings or gpiod.LineSettings())

    def read_edge_events(self, max_events: int | None = None) -> list[gpiod.EdgeEvent]:
        """Return the pending edges."""
        return self._held.read()

    def release(self) -> None:
        """Free the line."""
        if self._line is not None:
            self._line.release()
            self._line = None
