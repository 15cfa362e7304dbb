"""The Dream Cheeky button's frames: the reference run, 0x14, and garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_agent.buttons.frames import decode
from bigred_agent.buttons.reading import Reading
from bigred_agent.testing.fake_usb import frame
from bigred_broker.messages import Lid


@pytest.mark.parametrize(
    ("first", "lid", "pressed"),
    [
        (0x14, Lid.CLOSED, True),
        (0x15, Lid.CLOSED, False),
        (0x16, Lid.OPEN, True),
        (0x17, Lid.OPEN, False),
    ],
)
def test_each_known_frame_gives_its_levels(first: int, lid: Lid, pressed: bool) -> None:
    assert decode(frame(first)) == Reading(lid, pressed)


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"\x15",
        frame(0x15)[:7],
        frame(0x15) + b"\0",
        frame(0x15, last=0x00),
        frame(0x1E),
        frame(0x13),
        frame(0x18),
        bytes(8),
        b"\xff" * 8,
    ],
    ids=lambda report: report.hex() or "empty",
)
def test_anything_else_is_not_a_frame(report: bytes) -> None:
    assert decode(report) is None


@given(st.binary(max_size=16))
def test_no_bytes_at_all_make_the_decoder_fail(report: bytes) -> None:
    reading = decode(report)
    assert reading is None or reading.lid in (Lid.OPEN, Lid.CLOSED)
