"""The Dream Cheeky Big Red Button (1d34:000d) over pyusb.

It has no OUT endpoint and must be polled: a SET_REPORT on endpoint 0, then a read of endpoint
0x81. Single timeouts are normal; two seconds without a valid answer, or any other USB error, mean
that it is gone. Sources: fidian/bonkers, elbeanio/dream_cheeky_big_red_button and pyusb's FAQ
(which also explains why the configuration is set only if there is none).
"""

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any  # pyusb has no types

import usb.core
import usb.util

from bigred_agent.buttons.frames import FRAME_BYTES, decode
from bigred_agent.buttons.reading import Reading
from bigred_agent.errors import (
    ButtonAbsentError,
    ButtonBusyError,
    ButtonError,
    ButtonForbiddenError,
    UsbMissingError,
)

VENDOR = 0x1D34
PRODUCT = 0x000D
INTERFACE = 0
ENDPOINT_IN = 0x81
REQUEST = bytes([0, 0, 0, 0, 0, 0, 0, 2])
REQUEST_TYPE = 0x21  # host to device, class, interface
SET_REPORT = 0x09
OUTPUT_REPORT = 0x0200
TIMEOUT_MS = 150
SILENCE_S = 2.0

NAME = "Dream Cheeky Big Red Button"
NO_LIBRARY = "no USB library is installed; install the package libusb-1.0-0"
ABSENT = f"no {NAME} ({VENDOR:04x}:{PRODUCT:04x}) is plugged in; plug it directly into the box"
FORBIDDEN = (
    f"the {NAME} is plugged in, but this user may not open it; add the udev rule "
    f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{VENDOR:04x}", ATTR{{idProduct}}=="{PRODUCT:04x}", '
    'GROUP="bigred", MODE="0660" with the agent\'s own system group, then replug the button'
)
BUSY = f"another program is using the {NAME}; stop it (is a second agent running?)"
SILENT = f"the {NAME} has given no valid answer for {SILENCE_S:g} s; reopening it"


@dataclass
class DreamCheekyButton:
    """A Button. `backend` is pyusb's (None: libusb); `clock` gives monotonic seconds."""

    backend: Any = None
    clock: Callable[[], float] = time.monotonic
    name: str = NAME
    garbage: int = 0
    _device: Any = None
    _detached: bool = False
    _valid_at_s: float = 0.0

    def open(self) -> None:
        """Find, detach the kernel's driver, configure if needed, claim. Raises ButtonError."""
        try:
            # A new object each time: an old one has the bus address from before a replug.
            self._device = usb.core.find(idVendor=VENDOR, idProduct=PRODUCT, backend=self.backend)
        except usb.core.NoBackendError as error:
            raise UsbMissingError(NO_LIBRARY) from error
        except usb.core.USBError as error:
            raise _sentence(error) from error
        if self._device is None:
            raise ButtonAbsentError(ABSENT)
        with _usb_errors():
            self._detach()
            self._configure()
            usb.util.claim_interface(self._device, INTERFACE)
        self._valid_at_s = self.clock()

    def read(self) -> Reading | None:
        """Poll once; return the levels, or None if the answer was late or garbage."""
        if self._device is None:
            raise ButtonAbsentError(ABSENT)
        reading = None
        with _usb_errors(), contextlib.suppress(usb.core.USBTimeoutError):
            self._device.ctrl_transfer(
                REQUEST_TYPE, SET_REPORT, OUTPUT_REPORT, INTERFACE, REQUEST, TIMEOUT_MS
            )
            report = bytes(self._device.read(ENDPOINT_IN, FRAME_BYTES, TIMEOUT_MS))
            reading = decode(report)
            self.garbage += reading is None
        now_s = self.clock()
        if reading is not None:
            self._valid_at_s = now_s
        elif now_s - self._valid_at_s > SILENCE_S:
            raise ButtonError(SILENT)
        return reading

    def close(self) -> None:
        """Release the device and reattach the kernel's driver."""
        device, self._device = self._device, None
        if device is None:
            return
        quiet = contextlib.suppress(usb.core.USBError, NotImplementedError)
        with quiet:
            usb.util.release_interface(device, INTERFACE)
        with quiet:
            usb.util.dispose_resources(device)
        if self._detached:
            self._detached = False
            with quiet:
                device.attach_kernel_driver(INTERFACE)
            with quiet:
                usb.util.dispose_resources(device)

    def _detach(self) -> None:
        # Where libusb has no concept of kernel drivers, none is in the way.
        with contextlib.suppress(NotImplementedError):
            if self._device.is_kernel_driver_active(INTERFACE):
                self._device.detach_kernel_driver(INTERFACE)
                self._detached = True

    def _configure(self) -> None:
        try:
            self._device.get_active_configuration()
        except usb.core.USBError as error:
            if error.errno is not None:
                raise
            # pyusb's own "Configuration not set". Setting it again would reset the device.
            self._device.set_configuration()


@contextlib.contextmanager
def _usb_errors() -> Iterator[None]:
    try:
        yield
    except usb.core.USBError as error:
        raise _sentence(error) from error


def _sentence(error: Any) -> ButtonError:
    if error.errno == errno.EACCES:
        return ButtonForbiddenError(FORBIDDEN)
    if error.errno == errno.EBUSY:
        return ButtonBusyError(BUSY)
    if error.errno == errno.ENODEV:
        return ButtonAbsentError(f"the {NAME} was unplugged")
    return ButtonError(f"the {NAME} failed ({error}); reopening it")
