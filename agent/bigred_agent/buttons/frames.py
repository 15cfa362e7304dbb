"""Decodes the Dream Cheeky button's eight-byte answer.

Source: the tables of fidian/bonkers (doc/big-red-button) and of two Go drivers, which agree:
bit 0 of the first byte is the released button, bit 1 the open lid, the other bits are 0x14, and
the last byte is 0x03 in every valid frame.
"""

from bigred_agent.buttons.reading import Reading
from bigred_broker.button import Lid

FRAME_BYTES = 8
_KNOWN = range(0x14, 0x18)
_LAST = 0x03
_BUTTON_UP = 0x01
_LID_OPEN = 0x02


def decode(report: bytes) -> Reading | None:
    """Return the levels in a frame; None if it is not a valid frame."""
    if len(report) != FRAME_BYTES or report[-1] != _LAST or report[0] not in _KNOWN:
        return None
    return Reading(
        lid=Lid.OPEN if report[0] & _LID_OPEN else Lid.CLOSED,
        pressed=not report[0] & _BUTTON_UP,
    )
