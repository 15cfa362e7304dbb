"""The virtual button, addressed as by QEMU: the bytes follow usbredir's own description."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.support.usbredir import Cable, UsbredirError, cable
from tests.support.virtual_button import VirtualButton

from bigred_agent.buttons.frames import decode
from bigred_agent.buttons.reading import Reading
from bigred_broker.messages import Lid

HELLO, CONNECT, DISCONNECT, INTERFACES, ENDPOINTS = 0, 1, 2, 4, 5
CONTROL, INTERRUPT = 100, 103
# Device versions, filters, packet sizes, 64-bit ids, 32-bit lengths, bulk receiving.
QEMU_CAPABILITIES = 0b1111_0110
STALL = 4
SET_REPORT = bytes([0, 0, 0, 0, 0, 0, 0, 2])


@dataclass
class Qemu:
    """QEMU's side of the connection, played by the test."""

    line: socket.socket
    button: VirtualButton
    cable: Cable

    def read_report(self, head: str = "<IIQ") -> tuple[int, int, bytes]:
        """Return kind, id and body of the next packet."""
        kind, length, packet = struct.unpack(head, self._read(struct.calcsize(head)))
        return kind, packet, self._read(length)

    def send(self, kind: int, body: bytes = b"", packet: int = 0) -> None:
        self.line.sendall(struct.pack("<IIQ", kind, len(body), packet) + body)

    def control(
        self, kind: int, request: int, value: int, length: int, data: bytes = b""
    ) -> tuple[int, bytes]:
        """Carry out a control transfer; return its status and data."""
        head = struct.pack("<BBBBHHH", kind & 0x80, request, kind, 0, value, 0, length)
        self.send(CONTROL, head + data, 7)
        got, packet, body = self.read_report()
        assert (got, packet) == (CONTROL, 7)
        _, _, _, status, _, _, count = struct.unpack_from("<BBBBHHH", body)
        assert count == (len(body) - 10 if kind & 0x80 or status else length)
        return status, body[10:]

    def ask(self) -> None:
        status, _ = self.control(0x21, 9, 0x0200, 8, SET_REPORT)
        assert status == 0

    def hear(self) -> Reading | None:
        """Read a report from the interrupt endpoint."""
        kind, _, body = self.read_report()
        assert (kind, body[:4]) == (INTERRUPT, bytes([0x81, 0, 8, 0]))
        return decode(body[4:])

    def listen(self) -> None:
        self.send(15, b"\x81")
        assert self.read_report() == (17, 0, b"\0\x81")

    def greet(self, capabilities: int = QEMU_CAPABILITIES) -> bytes:
        hello = b"qemu usb-redir guest".ljust(64, b"\0") + struct.pack("<I", capabilities)
        self.line.sendall(struct.pack("<III", HELLO, len(hello), 0) + hello)
        kind, _, body = self.read_report("<III")
        assert kind == HELLO
        return body

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.line.recv(count - len(data))
            assert more, "hung up"
            data += more
        return data


@pytest.fixture
def stranger() -> Iterator[Qemu]:
    """A QEMU that has not sent its hello."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    button = VirtualButton()
    with ours, cable(theirs, button) as laid:
        yield Qemu(ours, button, laid)


@pytest.fixture
def qemu(stranger: Qemu) -> Qemu:
    """A QEMU with the button plugged in."""
    stranger.greet()
    stranger.cable.plug()
    assert [stranger.read_report()[0] for _ in range(3)] == [INTERFACES, ENDPOINTS, CONNECT]
    return stranger


def test_it_has_the_capabilities_that_xhci_requires(stranger: Qemu) -> None:
    (capabilities,) = struct.unpack("<I", stranger.greet()[64:])
    assert capabilities & 0b111_0000 == 0b111_0000


def test_it_presents_itself_as_a_slow_hid_with_one_endpoint(stranger: Qemu) -> None:
    stranger.cable.plug()
    stranger.greet()
    _, _, interfaces = stranger.read_report()
    _, _, endpoints = stranger.read_report()
    _, _, connect = stranger.read_report()
    assert (interfaces[0], interfaces[4 + 32], len(interfaces)) == (1, 3, 132)
    kinds, intervals = endpoints[:32], endpoints[32:64]
    sizes = struct.unpack("<32H", endpoints[96:])
    assert [place for place, kind in enumerate(kinds) if kind != 255] == [0, 16, 17]
    assert (kinds[17], intervals[17], sizes[17]) == (3, 10, 8)
    assert connect == struct.pack("<BBBBHHH", 0, 0, 0, 0, 0x1D34, 0x000D, 0x0002)


def test_its_descriptors_are_consistent(qemu: Qemu) -> None:
    _, device = qemu.control(0x80, 6, 0x0100, 18)
    assert struct.unpack_from("<HH", device, 8) == (0x1D34, 0x000D)
    _, short = qemu.control(0x80, 6, 0x0200, 9)
    (total,) = struct.unpack_from("<H", short, 2)
    _, whole = qemu.control(0x80, 6, 0x0200, 255)
    assert len(whole) == total
    _, report = qemu.control(0x81, 6, 0x2200, 255)
    assert struct.unpack_from("<H", whole, 9 + 9 + 7) == (len(report),)
    _, product = qemu.control(0x80, 6, 0x0302, 255)
    assert product[2:].decode("utf-16-le") == "DL100B Dream Cheeky Generic Controller"


def test_unknown_requests_stall(qemu: Qemu) -> None:
    assert qemu.control(0x80, 6, 0x0600, 10) == (STALL, b"")
    assert qemu.control(0xC0, 0x51, 0, 1) == (STALL, b"")


def test_configuration_and_interface_have_messages_of_their_own(qemu: Qemu) -> None:
    qemu.send(6, b"\x01", 41)
    assert qemu.read_report() == (8, 41, b"\0\x01")
    qemu.send(7, b"", 42)
    assert qemu.read_report() == (8, 42, b"\0\x01")
    qemu.send(9, b"\0\0", 43)
    assert qemu.read_report() == (11, 43, b"\0\0\0")
    assert qemu.control(0x80, 0, 0, 2) == (0, b"\0\0")


def test_it_answers_only_when_asked_with_its_current_levels(qemu: Qemu) -> None:
    qemu.listen()
    qemu.button.open_lid()
    qemu.ask()
    assert qemu.hear() == Reading(Lid.OPEN, pressed=False)
    qemu.button.press()
    qemu.ask()
    assert qemu.hear() == Reading(Lid.OPEN, pressed=True)
    qemu.button.close_lid()
    qemu.ask()
    assert qemu.hear() == Reading(Lid.CLOSED, pressed=True)
    assert qemu.button.asked == 3


def test_an_answer_waits_until_the_guest_reads(qemu: Qemu) -> None:
    qemu.ask()
    qemu.listen()
    assert qemu.hear() == Reading(Lid.CLOSED, pressed=False)


def test_it_knows_when_the_guest_first_read_a_change(qemu: Qemu) -> None:
    qemu.listen()
    qemu.ask()
    qemu.hear()
    changed_at_s = qemu.button.open_lid()
    with pytest.raises(TimeoutError, match="nobody asked"):
        qemu.button.delivered_at_s(0.01)
    qemu.ask()
    delivered_at_s = qemu.button.delivered_at_s()
    assert delivered_at_s > changed_at_s
    qemu.hear()
    qemu.ask()
    qemu.hear()
    assert qemu.button.delivered_at_s() == delivered_at_s


def test_an_unplugged_button_is_gone_and_a_replugged_one_presents_itself_again(qemu: Qemu) -> None:
    qemu.ask()
    qemu.cable.unplug()
    assert qemu.read_report()[0] == DISCONNECT
    qemu.cable.plug()
    assert [qemu.read_report()[0] for _ in range(3)] == [INTERFACES, ENDPOINTS, CONNECT]
    qemu.listen()
    qemu.ask()
    assert qemu.hear() == Reading(Lid.CLOSED, pressed=False)


def test_a_qemu_without_the_capabilities_is_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        laid = Cable(theirs, VirtualButton())
        ours.settimeout(5)
        hello = b"old".ljust(64, b"\0") + struct.pack("<I", 0b10)
        ours.sendall(struct.pack("<III", HELLO, len(hello), 0) + hello)
        with pytest.raises(UsbredirError, match="old has capabilities 0x2"):
            laid.serve()
