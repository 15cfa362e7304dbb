"""Finds the GPIO chip whose lines are the pins of the header."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bigred_agent.pins import errors
from bigred_agent.pins.kernel import Chip, Kernel

# By label, never by number: a Pi 5's header is gpiochip4, gpiochip0 or another, depending on the
# kernel.
PI_LABELS = frozenset({
    "pinctrl-bcm2835",  # Pi 1 to 3, Zero, Zero 2
    "pinctrl-bcm2711",  # Pi 4, 400
    "pinctrl-rp1",  # Pi 5, 500
})  # fmt: skip
_NAME = re.compile(r"GPIO(\d+)")


@dataclass(frozen=True)
class Header:
    """An open chip, and the lines of its pins."""

    chip: Chip
    path: Path
    label: str
    num_lines: int
    # Offsets of lines named GPIO17 and so on. Empty if the offset is the pin's number: on a Pi,
    # whose kernels name the lines in various ways, and on chips without such names.
    named: Mapping[int, int] = field(default_factory=dict)

    def offset(self, number: int) -> int:
        """Return the offset of a BCM pin number. Raises NoLineError."""
        at = self.named.get(number) if self.named else number
        if at is None or at >= self.num_lines:
            raise errors.NoLineError(errors.NO_LINE.format(path=self.path, pin=f"GPIO{number}"))
        return at


def find(kernel: Kernel, wanted: str | None = None) -> Header:
    """Open the chip with this label, name or path; by default that of a Pi's header.

    A chip is never chosen by the names of its lines: on another machine GPIO17 can be anything.
    Raises NoHeaderError and ForbiddenError.
    """
    seen: list[str] = []
    forbidden: list[Path] = []
    for path in kernel.chips():
        try:
            chip = kernel.open(path)
        except PermissionError:
            forbidden.append(path)
            continue
        except OSError:  # unplugged in the meantime
            continue
        info = chip.get_info()
        if wanted in {info.label, info.name, str(path)} or (not wanted and info.label in PI_LABELS):
            named = {} if info.label in PI_LABELS else _named(chip, info.num_lines)
            return Header(chip, path, info.label, info.num_lines, named)
        chip.close()
        seen.append(f"{path} [{info.label}]")
    if forbidden:
        raise errors.ForbiddenError(_forbidden(forbidden[0], kernel.group(forbidden[0])))
    raise errors.NoHeaderError(_missing(wanted, ", ".join(seen)))


def _named(chip: Chip, num_lines: int) -> dict[int, int]:
    found = ((at, _NAME.fullmatch(chip.get_line_info(at).name or "")) for at in range(num_lines))
    return {int(match[1]): at for at, match in found if match}


def _forbidden(path: Path, group: str | None) -> str:
    if group is None:
        return errors.NO_GROUP.format(path=path)
    return errors.NOT_IN_GROUP.format(path=path, group=group)


def _missing(wanted: str | None, seen: str) -> str:
    if wanted:
        return errors.UNKNOWN_CHIP.format(wanted=wanted, seen=seen or "none")
    return errors.NO_HEADER.format(seen=seen) if seen else errors.NO_CHIP
