"""A virtual Dream Cheeky Big Red Button (1d34:000d) for a guest in QEMU.

    python -m tests.support.virtual_button SOCKET

connects it to the socket of QEMU's usb-redir (see `usbredir`) and reads commands from standard
input, one word per line: plug, unplug, lid_open, lid_close, press, release, quit.

Like the real one it answers only to a SET_REPORT whose last byte is 0x02, and then with levels,
not events. Sources: fidian/bonkers (lsusb of the real one); the bytes of the report descriptor are
a guess, since only their meaning is known: eight bytes in, eight out, without report ids.
"""

import contextlib
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.sockets import connect
from tests.support.usbredir import Cable, Identity, Setup, cable

DEADLINE_S = 10.0
_REPORT_BYTES = 8
_ALWAYS, _LID_OPEN, _BUTTON_UP = 0x14, 0x02, 0x01
_LAST, _ASKED = 0x03, 0x02

_HID, _HID_DESCRIPTOR, _REPORT_DESCRIPTOR = 3, 0x21, 0x22
_REPORT = bytes.fromhex(
    "0600ff 0901 a101"  # a vendor-defined collection
    "0901 1500 26ff00 7508 9508 8102"  # input: eight times eight bits
    "0901 1500 26ff00 7508 9508 9102"  # output: the same
    "c0"
)
IDENTITY = Identity(0x1D34, 0x000D, 0x0002, _HID, 0x81, _REPORT_BYTES, 10)
_DEVICE = struct.pack(
    "<BBHBBBBHHHBBBB",
    *(18, 1, 0x0110, 0, 0, 0, 8),
    *(IDENTITY.vendor, IDENTITY.product, IDENTITY.release, 1, 2, 0, 1),
)
_HID_INFO = struct.pack(
    "<BBHBBBH", 9, _HID_DESCRIPTOR, 0x0110, 0, 1, _REPORT_DESCRIPTOR, len(_REPORT)
)
_CONFIGURATION = (
    struct.pack("<BBHBBBBB", 9, 2, 34, 1, 1, 0, 0xA0, 250)  # 500 mA from the bus
    + struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 1, _HID, 0, 0, 0)
    + _HID_INFO
    + struct.pack("<BBBBHB", 7, 5, IDENTITY.endpoint, 3, _REPORT_BYTES, IDENTITY.interval_ms)
)
_STRINGS = ("Dream Link", "DL100B Dream Cheeky Generic Controller")
_LANGUAGES = struct.pack("<BBH", 4, 3, 0x0409)

# (bmRequestType, bRequest) of the requests it answers.
_GET_DESCRIPTOR, _GET_INTERFACE_DESCRIPTOR, _SET_REPORT = (0x80, 6), (0x81, 6), (0x21, 9)
_GET_STATUS = {(0x80, 0), (0x81, 0), (0x82, 0)}
# Accepted without any effect: set or clear a feature, set the idle rate.
_ACCEPTED = {(0x00, 1), (0x02, 1), (0x00, 3), (0x21, 0x0A)}


def _string(text: str) -> bytes:
    encoded = text.encode("utf-16-le")
    return bytes([len(encoded) + 2, 3]) + encoded


_DESCRIPTORS = {
    0x0100: _DEVICE,
    0x0200: _CONFIGURATION,
    0x0300: _LANGUAGES,
    **{0x0301 + number: _string(text) for number, text in enumerate(_STRINGS)},
}


@dataclass
class VirtualButton:
    """The device, with a lid and a knob moved by a program; times are monotonic seconds."""

    identity: Identity = IDENTITY
    asked: int = 0
    _lid_open: bool = False
    _pressed: bool = False
    _waiting: bytes | None = None
    _changed_at_s: float = field(default_factory=time.monotonic)
    _delivered_at_s: float | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def frame(self) -> bytes:
        """Its current answer."""
        level = _ALWAYS | _LID_OPEN * self._lid_open | _BUTTON_UP * (not self._pressed)
        return bytes([level, 0, 0, 0, 0, 0, 0, _LAST])

    def open_lid(self) -> float:
        """Open the lid; return when."""
        return self._move(lid_open=True)

    def close_lid(self) -> float:
        """Close the lid; return when."""
        return self._move(lid_open=False)

    def press(self) -> float:
        """Push the knob and keep it down, even under the lid; return when."""
        return self._move(pressed=True)

    def release(self) -> float:
        """Let the knob go; return when."""
        return self._move(pressed=False)

    def delivered_at_s(self, deadline_s: float = DEADLINE_S) -> float:
        """Wait until the guest has read the current levels; return when it first did.

        Raises TimeoutError if nobody has asked by the deadline.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._delivered_at_s is not None, deadline_s):
                raise TimeoutError(f"nobody asked the button for {deadline_s:g} s")
            assert self._delivered_at_s is not None
            return self._delivered_at_s

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Answer a control transfer; None stalls."""
        asked = (setup.kind, setup.request)
        if asked == _GET_DESCRIPTOR:
            return _DESCRIPTORS.get(setup.value)
        if asked == _GET_INTERFACE_DESCRIPTOR:
            kinds = {_HID_DESCRIPTOR: _HID_INFO, _REPORT_DESCRIPTOR: _REPORT}
            return kinds.get(setup.value >> 8)
        if asked in _GET_STATUS:
            return bytes(2)
        if asked == _SET_REPORT and len(data) == _REPORT_BYTES:
            if data[-1] == _ASKED:
                with self._changed:
                    self.asked += 1
                    self._waiting = self.frame
            return b""
        return b"" if asked in _ACCEPTED else None

    def report(self) -> bytes | None:
        """Return the requested answer, once."""
        with self._changed:
            frame, self._waiting = self._waiting, None
            if frame == self.frame and self._delivered_at_s is None:
                self._delivered_at_s = time.monotonic()
                self._changed.notify_all()
            return frame

    def left(self) -> None:
        """Drop a pending request, because it was plugged in again."""
        with self._changed:
            self._waiting = self._delivered_at_s = None

    def _move(self, *, lid_open: bool | None = None, pressed: bool | None = None) -> float:
        with self._changed:
            before = self.frame
            self._lid_open = self._lid_open if lid_open is None else lid_open
            self._pressed = self._pressed if pressed is None else pressed
            if self.frame != before:
                self._changed_at_s = time.monotonic()
                self._delivered_at_s = None
            return self._changed_at_s


@contextlib.contextmanager
def on_socket(button: VirtualButton, path: Path, deadline_s: float = DEADLINE_S) -> Iterator[Cable]:
    """Connect the button to QEMU's socket until the block ends; it is not plugged in yet."""
    with contextlib.closing(connect(path, deadline_s)) as line, cable(line, button) as laid:
        yield laid


def main() -> None:
    """Carry out the commands on standard input."""
    button = VirtualButton()
    with on_socket(button, Path(sys.argv[1])) as laid:
        verbs: dict[str, Callable[[], object]] = {
            "plug": laid.plug,
            "unplug": laid.unplug,
            "lid_open": button.open_lid,
            "lid_close": button.close_lid,
            "press": button.press,
            "release": button.release,
        }
        for line in sys.stdin:
            word = line.strip()
            if word == "quit":
                return
            if word in verbs:
                verbs[word]()
            else:
                sys.stderr.write(f"{word}: not one of {', '.join(verbs)}, quit\n")


if __name__ == "__main__":
    main()
