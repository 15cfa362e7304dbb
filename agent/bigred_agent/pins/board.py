"""Which board gpiozero believes to be on: where a pin name is on the header."""

from typing import Any  # gpiozero has no types

from gpiozero import PinUnknownPi
from gpiozero.pins.local import get_pi_revision
from gpiozero.pins.pi import PiBoardInfo

# A Pi 3B: its 40-pin header is that of every Pi since 2014.
_FORTY_PINS = 0xA02082


def board_info() -> Any:
    """Describe this board; one that gives no revision has the header of a Pi and no name.

    The firmware of a Pi writes the revision into the device tree; emulators and other boards
    lack it, and gpiozero alone refuses to work there.
    """
    try:
        return PiBoardInfo.from_revision(get_pi_revision())
    except (PinUnknownPi, OSError, ValueError):  # ValueError: another board's own "Revision"
        return PiBoardInfo.from_revision(_FORTY_PINS)._replace(
            revision="unknown", model="unknown", pcb_revision="unknown", manufacturer="unknown"
        )
