"""What the pins need from the kernel: its GPIO chips, as libgpiod 2 presents them.

The protocols list every effect; `testing/fake_kernel.py` implements them without hardware.
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
    """Lines that are ours until released; the part of `gpiod.LineRequest` in use."""

    @property
    def fd(self) -> int:
        """The file descriptor that becomes readable with an edge."""

    def get_value(self, line: int | str) -> Value:
        """Read a level."""

    def set_value(self, line: int | str, value: Value) -> None:
        """Set an output's level."""

    def reconfigure_lines(self, config: Config) -> None:
        """Change direction, bias, edges or debouncing without releasing the line."""

    def read_edge_events(self, max_events: int | None = None) -> list[gpiod.EdgeEvent]:
        """Read the pending edges; wait for one if there are none."""

    def release(self) -> None:
        """Release the lines. The kernel leaves them as they are."""


class Chip(Protocol):
    """An open GPIO chip; the part of `gpiod.Chip` in use."""

    def get_info(self) -> gpiod.ChipInfo:
        """Return its name, label and number of lines."""

    def get_line_info(self, line: int | str) -> LineInfo:
        """Return the settings and the consumer of a line."""

    def request_lines(self, config: Config, consumer: str | None = None) -> Lines:
        """Request lines. Raises OSError EBUSY if one of them is in use."""

    def close(self) -> None:
        """Close the chip; requested lines stay requested."""


class Kernel(Protocol):
    """The machine's GPIO chips."""

    def chips(self) -> list[Path]:
        """List the chips' device files, each once."""

    def open(self, path: Path) -> Chip:
        """Open a chip. Raises PermissionError and other OSErrors."""

    def group(self, path: Path) -> str | None:
        """Return the group that may open a chip; None if only root may."""


class RealKernel:
    """The kernel this runs on."""

    def chips(self) -> list[Path]:
        """List the chips, without the symbolic links of older systems."""
        return sorted({path.resolve() for path in Path("/dev").glob("gpiochip*")})

    def open(self, path: Path) -> Chip:
        """Open a chip."""
        return gpiod.Chip(str(path))

    def group(self, path: Path) -> str | None:
        """Return the group of a chip's device file."""
        status = path.stat()
        if status.st_gid == 0 or not status.st_mode & stat.S_IWGRP:
            return None
        try:
            return grp.getgrgid(status.st_gid).gr_name
        except KeyError:
            return str(status.st_gid)
