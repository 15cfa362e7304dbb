"""Describes the board to gpiozero: it maps pin names to the header."""

from typing import Any  # gpiozero has no types

from gpiozero import PinUnknownPi
from gpiozero.pins.local import get_pi_revision
from gpiozero.pins.pi import PiBoardInfo

# A Pi 3B: every Pi since 2014 has the same 40-pin header.
_FORTY_PINS = 0xA02082


def board_info() -> Any:
    """Describe this board; one without a revision gets a Pi's header and no name.

    A Pi's firmware writes the revision into the device tree. Emulators and other boards lack it,
    and gpiozero on its own refuses to work there.
    """
    try:
        return PiBoardInfo.from_revision(get_pi_revision())
    except (PinUnknownPi, OSError, ValueError):  # ValueError: the "Revision" of another board
        return PiBoardInfo.from_revision(_FORTY_PINS)._replace(
            revision="unknown", model="unknown", pcb_revision="unknown", manufacturer="unknown"
        )
