"""The real driver with the real pyusb, on a fake libusb that accepts the real transfers."""

import errno
from dataclasses import dataclass, field

import pytest
import usb.core

from bigred_agent.buttons import dream_cheeky
from bigred_agent.buttons.dream_cheeky import DreamCheekyButton
from bigred_agent.buttons.reading import Reading
from bigred_agent.errors import (
    ButtonAbsentError,
    ButtonBusyError,
    ButtonError,
    ButtonForbiddenError,
    UsbMissingError,
)
from bigred_agent.testing.fake_usb import LID_CLOSED, LID_OPEN, PRESSED, FakeUsb, frame
from bigred_broker.messages import Lid

CLOSED = Reading(Lid.CLOSED, pressed=False)
OPEN = Reading(Lid.OPEN, pressed=False)


@dataclass
class Bench:
    """A driver on a fake bus, with a clock set by the test."""

    usb: FakeUsb = field(default_factory=FakeUsb)
    now_s: float = 100.0

    def __post_init__(self) -> None:
        self.button = DreamCheekyButton(backend=self.usb, clock=lambda: self.now_s)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_is_found_detached_claimed_and_read_in_this_order(bench: Bench) -> None:
    bench.button.open()
    assert bench.button.read() == CLOSED
    assert bench.usb.calls == ["open", "detach 0", "claim 0"]


def test_an_existing_configuration_is_left_alone_and_a_missing_one_is_set(bench: Bench) -> None:
    bench.usb.configured = False
    bench.button.open()
    assert bench.usb.calls == ["open", "detach 0", "set_configuration 1", "claim 0"]
    assert bench.button.read() == CLOSED


def test_the_reference_run_comes_through_pyusb_level_by_level(bench: Bench) -> None:
    bench.button.open()
    seen = []
    for level in (LID_CLOSED, LID_OPEN, PRESSED, LID_OPEN, LID_CLOSED):
        bench.usb.level = level
        seen.append(bench.button.read())
    assert seen == [CLOSED, OPEN, Reading(Lid.OPEN, pressed=True), OPEN, CLOSED]


def test_closing_releases_it_and_reattaches_the_kernel_driver(bench: Bench) -> None:
    bench.button.open()
    bench.usb.calls.clear()
    bench.button.close()
    assert bench.usb.calls == ["release 0", "close", "open", "attach 0", "close"]
    assert bench.usb.kernel_driver


def test_a_kernel_driver_that_was_not_there_is_not_attached(bench: Bench) -> None:
    bench.usb.kernel_driver = False
    bench.button.open()
    bench.button.close()
    assert not bench.usb.kernel_driver


def test_a_platform_without_kernel_drivers_works(bench: Bench) -> None:
    bench.usb.kernel_driver = False
    bench.usb.knows_kernel_drivers = False
    bench.button.open()
    assert bench.button.read() == CLOSED


def test_single_timeouts_are_ignored_and_the_next_answer_counts(bench: Bench) -> None:
    bench.button.open()
    bench.usb.script.extend([errno.ETIMEDOUT, errno.ETIMEDOUT, frame(LID_OPEN)])
    assert [bench.button.read() for _ in range(3)] == [None, None, OPEN]


def test_two_seconds_of_timeouts_mean_that_it_is_gone(bench: Bench) -> None:
    bench.button.open()
    bench.usb.script.extend([errno.ETIMEDOUT] * 100)
    for _ in range(13):
        bench.now_s += 0.15
        assert bench.button.read() is None
    bench.now_s += 0.15
    with pytest.raises(ButtonError, match="no valid answer for 2 s"):
        bench.button.read()


def test_garbage_and_short_frames_are_counted_and_never_a_reading(bench: Bench) -> None:
    bench.button.open()
    bench.usb.script.extend([frame(PRESSED, last=0), b"\x16\x00\x00", b"\xff" * 8, b""])
    assert [bench.button.read() for _ in range(4)] == [None] * 4
    assert bench.button.garbage == 4
    assert bench.button.read() == CLOSED


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (errno.ENODEV, ButtonAbsentError, "unplugged"),
        (errno.EIO, ButtonError, "reopening it"),
        (errno.EPIPE, ButtonError, "reopening it"),
        (errno.EOVERFLOW, ButtonError, "reopening it"),
        (errno.EBUSY, ButtonBusyError, "another program"),
    ],
)
def test_any_other_usb_error_ends_the_reading_with_a_sentence(
    bench: Bench, number: int, kind: type[ButtonError], sentence: str
) -> None:
    bench.button.open()
    bench.usb.script.append(number)
    with pytest.raises(kind, match=sentence):
        bench.button.read()


def test_after_unplugging_it_closes_quietly_and_a_replugged_one_is_found_again(
    bench: Bench,
) -> None:
    bench.button.open()
    bench.usb.plugged = False
    with pytest.raises(ButtonAbsentError, match="unplugged"):
        bench.button.read()
    bench.button.close()
    with pytest.raises(ButtonAbsentError, match="plug it directly"):
        bench.button.open()
    bench.usb.replug()
    bench.button.open()
    assert bench.button.read() == CLOSED


def test_a_button_replugged_between_two_readings_is_noticed_by_its_new_address(
    bench: Bench,
) -> None:
    bench.button.open()
    bench.usb.replug()
    with pytest.raises(ButtonAbsentError):
        bench.button.read()


def test_without_permission_the_error_contains_the_udev_rule(bench: Bench) -> None:
    bench.usb.permitted = False
    with pytest.raises(ButtonForbiddenError, match=r'ATTR\{idVendor\}=="1d34"'):
        bench.button.open()
    bench.button.close()


def test_without_libusb_the_error_names_the_package(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(**_: object) -> None:
        raise usb.core.NoBackendError("No backend available")

    monkeypatch.setattr(usb.core, "find", find)
    with pytest.raises(UsbMissingError, match=r"libusb-1\.0-0"):
        bench.button.open()


def test_closing_and_reading_a_closed_button_do_not_crash(bench: Bench) -> None:
    bench.button.close()
    with pytest.raises(ButtonAbsentError):
        bench.button.read()


def test_the_request_is_the_one_the_device_knows() -> None:
    assert bytes.fromhex("0000000000000002") == dream_cheeky.REQUEST
    assert (dream_cheeky.REQUEST_TYPE, dream_cheeky.SET_REPORT) == (0x21, 0x09)
    assert dream_cheeky.OUTPUT_REPORT == 0x0200
