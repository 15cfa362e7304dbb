"""GPIO chips without hardware, as strict as the kernel's, for tests and newcomers.

    kernel = FakeKernel()
    factory = GpiodFactory(kernel=kernel)
    LED(17, pin_factory=factory).on()
    assert kernel.line(17).level

Values are gpiod's own classes. Requesting a line twice is EBUSY, setting an input EPERM, asking an
output for edges EINVAL, and a released line keeps its level.
"""

import errno
from dataclasses import dataclass, field
from pathlib import Path

import gpiod
from gpiod.line import Bias
from gpiod.line_info import LineInfo

from bigred_agent.pins.kernel import Config
from bigred_agent.testing.fake_line import FakeLine, FakeLines, kernel_error

PI_4 = "pinctrl-bcm2711"


@dataclass
class FakeChip:
    """A chip, and how often it is open."""

    name: str = "gpiochip0"
    label: str = PI_4
    lines: list[FakeLine] = field(default_factory=lambda: [FakeLine() for _ in range(58)])
    group: str | None = "gpio"
    is_forbidden: bool = False
    openings: int = 0

    def get_info(self) -> gpiod.ChipInfo:
        """Return its name, label and number of lines."""
        return gpiod.ChipInfo(self.name, self.label, len(self.lines))

    def get_line_info(self, line: int | str) -> LineInfo:
        """Return the settings of a line."""
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
        """Request one line."""
        ((at, settings),) = config.items()
        if not isinstance(at, int):
            raise TypeError("this fake requests a single line, by its offset")
        line = self.lines[at]
        return FakeLines(line, line.request(consumer or "?", settings or gpiod.LineSettings()))

    def close(self) -> None:
        """Close it once."""
        self.openings -= 1


class FakeKernel:
    """A machine with these chips, by default those of a Pi 4."""

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
        """Return the group that may open a chip."""
        return self._chips[path].group

    def line(self, offset: int) -> FakeLine:
        """Return a line of the first chip."""
        return self._chips[self.chips()[0]].lines[offset]
