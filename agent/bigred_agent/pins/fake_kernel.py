"""GPIO chips without hardware, as picky as the kernel's: for tests and for newcomers.

    kernel = FakeKernel()
    factory = GpiodFactory(kernel=kernel)
    LED(17, pin_factory=factory).on()
    assert kernel.line(17).level

Values are gpiod's own classes. A line that is taken twice is EBUSY, one that is an input can't be
set (EPERM), edges of an output are EINVAL, and a released line stays as it was.
"""

import errno
from dataclasses import dataclass, field
from pathlib import Path

import gpiod
from gpiod.line import Bias
from gpiod.line_info import LineInfo

from bigred_agent.pins.fake_line import FakeLine, FakeLines, kernel_error
from bigred_agent.pins.kernel import Config

PI_4 = "pinctrl-bcm2711"


@dataclass
class FakeChip:
    """A chip, and every opening of it."""

    name: str = "gpiochip0"
    label: str = PI_4
    lines: list[FakeLine] = field(default_factory=lambda: [FakeLine() for _ in range(58)])
    group: str | None = "gpio"
    is_forbidden: bool = False
    openings: int = 0

    def get_info(self) -> gpiod.ChipInfo:
        """Tell what it is."""
        return gpiod.ChipInfo(self.name, self.label, len(self.lines))

    def get_line_info(self, line: int | str) -> LineInfo:
        """Tell how a line is set."""
        at = int(line)
        one = self.lines[at]
        set_ = one.settings
        return LineInfo(
            at, one.name, one.consumer is not None, one.consumer or "", set_.direction.value, False,
            (Bias.UNKNOWN if set_.bias is Bias.AS_IS else set_.bias).value, set_.drive.value,
            set_.edge_detection.value, set_.event_clock.value, bool(set_.debounce_period),
            int(set_.debounce_period.total_seconds() * 1e6),
        )  # fmt: skip

    def request_lines(self, config: Config, consumer: str | None = None) -> FakeLines:
        """Take one line."""
        ((at, settings),) = config.items()
        if not isinstance(at, int):
            raise TypeError("this fake takes one line, by its offset")
        line = self.lines[at]
        return FakeLines(line, line.take(consumer or "?", settings or gpiod.LineSettings()))

    def close(self) -> None:
        """Close one opening."""
        self.openings -= 1


class FakeKernel:
    """A machine with these chips; without any named, a Pi 4's."""

    def __init__(self, *chips: FakeChip) -> None:
        self._chips = {Path("/dev") / chip.name: chip for chip in chips or (FakeChip(),)}

    def chips(self) -> list[Path]:
        """List the chips."""
        return sorted(self._chips)

    def open(self, path: Path) -> FakeChip:
        """Open a chip."""
        chip = self._chips[path]
        if chip.is_forbidden:
            raise kernel_error(errno.EACCES)
        chip.openings += 1
        return chip

    def group(self, path: Path) -> str | None:
        """Name the group that may open a chip."""
        return self._chips[path].group

    def line(self, offset: int) -> FakeLine:
        """Give a line of the first chip."""
        return self._chips[self.chips()[0]].lines[offset]
