"""What the pins need of the kernel: its GPIO chips, as libgpiod 2 shows them.

The protocols list every effect there is; `fake_kernel.py` has the same without hardware.
"""

import grp
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import gpiod
from gpiod.line import Value
from gpiod.line_info import LineInfo  # gpiod 2.2 does not have it at the top

Config = dict[Iterable[int | str] | int | str, gpiod.LineSettings | None]


class Lines(Protocol):
    """Lines that are ours until they are released; of `gpiod.LineRequest` what is used."""

    @property
    def fd(self) -> int:
        """What becomes readable with an edge."""

    def get_value(self, line: int | str) -> Value:
        """Read a level."""

    def set_value(self, line: int | str, value: Value) -> None:
        """Set an output's level."""

    def reconfigure_lines(self, config: Config) -> None:
        """Change direction, bias, edges or debouncing without giving the line away."""

    def read_edge_events(self, max_events: int | None = None) -> list[gpiod.EdgeEvent]:
        """Read the edges there are; wait for one if there is none."""

    def release(self) -> None:
        """Give the lines back. The kernel leaves them as they are."""


class Chip(Protocol):
    """An open GPIO chip; of `gpiod.Chip` what is used."""

    def get_info(self) -> gpiod.ChipInfo:
        """Tell its name, label and number of lines."""

    def get_line_info(self, line: int | str) -> LineInfo:
        """Tell what a line is set to, and who holds it."""

    def request_lines(self, config: Config, consumer: str | None = None) -> Lines:
        """Take lines. Raises OSError EBUSY when somebody holds one of them."""

    def close(self) -> None:
        """Close the chip; requested lines stay."""


class Kernel(Protocol):
    """The machine's GPIO chips."""

    def chips(self) -> list[Path]:
        """List the chips' device files, each once."""

    def open(self, path: Path) -> Chip:
        """Open a chip. Raises PermissionError and other OSErrors."""

    def group(self, path: Path) -> str | None:
        """Name the group that may open a chip; None when only root may."""


class RealKernel:
    """The kernel this runs on."""

    def chips(self) -> list[Path]:
        """List the chips, without the second names that older systems have as links."""
        return sorted({path.resolve() for path in Path("/dev").glob("gpiochip*")})

    def open(self, path: Path) -> Chip:
        """Open a chip."""
        return gpiod.Chip(str(path))

    def group(self, path: Path) -> str | None:
        """Name the group a chip's device file belongs to."""
        status = path.stat()
        if status.st_gid == 0 or not status.st_mode & stat.S_IWGRP:
            return None
        try:
            return grp.getgrgid(status.st_gid).gr_name
        except KeyError:
            return str(status.st_gid)
