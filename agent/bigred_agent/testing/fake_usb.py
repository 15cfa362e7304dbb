"""A Dream Cheeky button on a fake libusb: a pyusb backend, for tests and newcomers.

It accepts the real transfers and is as strict as the real device: the interface must be detached
from the kernel's driver and claimed, and it answers a read only after a correct SET_REPORT.

    fake = FakeUsb()
    usb.core.find(idVendor=0x1D34, idProduct=0x000D, backend=fake)
"""

import errno
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import usb.backend
import usb.core

LID_CLOSED = 0x15
LID_OPEN = 0x17
PRESSED = 0x16
PRESSED_BELOW_THE_LID = 0x14

_DEVICE = SimpleNamespace(
    bLength=18, bDescriptorType=1, bcdUSB=0x0110, bDeviceClass=0, bDeviceSubClass=0,
    bDeviceProtocol=0, bMaxPacketSize0=8, idVendor=0x1D34, idProduct=0x000D, bcdDevice=0x0002,
    iManufacturer=1, iProduct=2, iSerialNumber=0, bNumConfigurations=1,
    bus=1, port_number=1, port_numbers=(1,), speed=1,
)  # fmt: skip
_CONFIGURATION = SimpleNamespace(
    bLength=9, bDescriptorType=2, wTotalLength=34, bNumInterfaces=1, bConfigurationValue=1,
    iConfiguration=0, bmAttributes=0xA0, bMaxPower=250, extra_descriptors=[],
)  # fmt: skip
_INTERFACE = SimpleNamespace(
    bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=0, bNumEndpoints=1,
    bInterfaceClass=3, bInterfaceSubClass=0, bInterfaceProtocol=0, iInterface=0,
    extra_descriptors=[],
)  # fmt: skip
_ENDPOINT = SimpleNamespace(
    bLength=7, bDescriptorType=5, bEndpointAddress=0x81, bmAttributes=3, wMaxPacketSize=8,
    bInterval=10, bRefresh=0, bSynchAddress=0, extra_descriptors=[],
)  # fmt: skip


def frame(first: int, last: int = 0x03) -> bytes:
    """Return the eight bytes of an answer."""
    return bytes([first, 0, 0, 0, 0, 0, 0, last])


def usb_error(number: int) -> usb.core.USBError:
    """Return the error pyusb raises for an errno; ETIMEDOUT has its own class."""
    kind = usb.core.USBTimeoutError if number == errno.ETIMEDOUT else usb.core.USBError
    return kind(errno.errorcode[number], None, number)


@dataclass
class FakeUsb(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """A bus with at most one button. Set its fields to make things happen.

    `script` holds the results of the next reads: frames, or errnos to fail with; after it, reads
    return `level`. `calls` lists the calls to the device in order.
    """

    level: int = LID_CLOSED
    plugged: bool = True
    permitted: bool = True
    configured: bool = True
    kernel_driver: bool = True
    knows_kernel_drivers: bool = True
    script: deque[bytes | int] = field(default_factory=deque)
    calls: list[str] = field(default_factory=list)
    address: int = 1
    _claimed: bool = False
    _asked: bool = False

    def replug(self) -> None:
        """Unplug and plug in again: it gets a new address and the kernel's driver."""
        self.plugged = True
        self.kernel_driver = True
        self._claimed = self._asked = False
        self.address += 1

    def enumerate_devices(self) -> Iterator[int]:
        """Yield the address of the button, if it is plugged in."""
        if self.plugged:
            yield self.address

    def get_device_descriptor(self, dev: int) -> SimpleNamespace:
        """Return the real device's descriptor, as lsusb shows it."""
        return SimpleNamespace(**vars(_DEVICE), address=dev)

    def get_configuration_descriptor(self, _dev: int, config: int) -> SimpleNamespace:
        """Return the only configuration. Raises IndexError for another, as pyusb expects."""
        if config:
            raise IndexError(config)
        return _CONFIGURATION

    def get_interface_descriptor(
        self, _dev: int, intf: int, alt: int, _config: int
    ) -> SimpleNamespace:
        """Return the only interface. Raises IndexError for another."""
        if intf or alt:
            raise IndexError(intf)
        return _INTERFACE

    def get_endpoint_descriptor(
        self, _dev: int, ep: int, _intf: int, _alt: int, _config: int
    ) -> SimpleNamespace:
        """Return the only endpoint. Raises IndexError for another."""
        if ep:
            raise IndexError(ep)
        return _ENDPOINT

    def open_device(self, dev: int) -> int:
        """Open it; EACCES without permission, ENODEV if it is unplugged."""
        self._there(dev)
        if not self.permitted:
            raise usb_error(errno.EACCES)
        self.calls.append("open")
        return dev

    def close_device(self, _dev_handle: int) -> None:
        """Close it."""
        self.calls.append("close")

    def get_configuration(self, dev_handle: int) -> int:
        """Return 1 if configured, else 0."""
        self._there(dev_handle)
        return int(self.configured)

    def set_configuration(self, dev_handle: int, config_value: int) -> None:
        """Configure it."""
        self._there(dev_handle)
        self.calls.append(f"set_configuration {config_value}")
        self.configured = True

    def claim_interface(self, dev_handle: int, intf: int) -> None:
        """Claim it; EBUSY while the kernel's driver has it."""
        self._there(dev_handle)
        if self.kernel_driver:
            raise usb_error(errno.EBUSY)
        self.calls.append(f"claim {intf}")
        self._claimed = True

    def release_interface(self, dev_handle: int, intf: int) -> None:
        """Release it."""
        self._there(dev_handle)
        self.calls.append(f"release {intf}")
        self._claimed = False

    def is_kernel_driver_active(self, dev_handle: int, _intf: int) -> bool:
        """Return whether the kernel's driver has it; NotImplementedError if libusb can't tell."""
        self._there(dev_handle)
        if not self.knows_kernel_drivers:
            raise NotImplementedError("Operation not supported or unimplemented on this platform")
        return self.kernel_driver

    def detach_kernel_driver(self, dev_handle: int, intf: int) -> None:
        """Detach the kernel's driver."""
        self._there(dev_handle)
        self.calls.append(f"detach {intf}")
        self.kernel_driver = False

    def attach_kernel_driver(self, dev_handle: int, intf: int) -> None:
        """Reattach the kernel's driver."""
        self._there(dev_handle)
        self.calls.append(f"attach {intf}")
        self.kernel_driver = True

    def ctrl_transfer(
        self,
        dev_handle: int,
        bmRequestType: int,  # noqa: N803  # pyusb calls these by name
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: "array[int]",
        _timeout: int,
    ) -> int:
        """Accept the button's only request; EPIPE (a stall) for any other."""
        self._ready(dev_handle)
        setup = (bmRequestType, bRequest, wValue, wIndex)
        if setup != (0x21, 0x09, 0x0200, 0) or len(data) != 8 or data[7] != 0x02:
            raise usb_error(errno.EPIPE)
        self._asked = True
        return len(data)

    def intr_read(
        self, dev_handle: int, ep: int, _intf: int, buff: "array[int]", _timeout: int
    ) -> int:
        """Answer the request; time out, without waiting, if there was none."""
        self._ready(dev_handle)
        if ep != 0x81 or not self._asked:
            raise usb_error(errno.ETIMEDOUT)
        self._asked = False
        answer = self.script.popleft() if self.script else frame(self.level)
        if isinstance(answer, int):
            raise usb_error(answer)
        buff[: len(answer)] = array("B", answer)
        return len(answer)

    def _there(self, address: int) -> None:
        if not self.plugged or address != self.address:
            raise usb_error(errno.ENODEV)

    def _ready(self, address: int) -> None:
        self._there(address)
        if self.kernel_driver or not self._claimed:
            raise usb_error(errno.EBUSY)
