"""Connects a USB device that is a program to QEMU, whose guest sees it as plugged in.

Implements the usbredir protocol (version 0.7, see its usb-redirection-protocol.md) for QEMU's
`-chardev socket,id=red,path=S,server=on,wait=off -device usb-redir,chardev=red`, as far as a HID
device without an OUT endpoint needs it: control transfers and one interrupt IN endpoint.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

VERSION = b"bigred 0.1"
ENDPOINTS = 32
DEADLINE_S = 10.0


class Kind(IntEnum):
    """The kinds of packets, by the protocol's numbers."""

    HELLO = 0
    DEVICE_CONNECT = 1
    DEVICE_DISCONNECT = 2
    RESET = 3
    INTERFACE_INFO = 4
    EP_INFO = 5
    SET_CONFIGURATION = 6
    GET_CONFIGURATION = 7
    CONFIGURATION_STATUS = 8
    SET_ALT_SETTING = 9
    GET_ALT_SETTING = 10
    ALT_SETTING_STATUS = 11
    START_INTERRUPT_RECEIVING = 15
    STOP_INTERRUPT_RECEIVING = 16
    INTERRUPT_RECEIVING_STATUS = 17
    CONTROL_PACKET = 100
    INTERRUPT_PACKET = 103


class Capability(IntEnum):
    """The capabilities both sides need: QEMU's xhci refuses devices without the last three."""

    CONNECT_DEVICE_VERSION = 1
    EP_INFO_MAX_PACKET_SIZE = 4
    IDS_64_BITS = 5
    BULK_LENGTH_32_BITS = 6


class Status(IntEnum):
    """The result of a transfer."""

    SUCCESS = 0
    INVALID = 2
    STALL = 4


CAPABILITIES = sum(1 << capability for capability in Capability)
HELLO_HEADER = struct.Struct("<III")  # kind, length, id, before 64-bit ids are agreed
HEADER = struct.Struct("<IIQ")
CONTROL = struct.Struct("<BBBBHHH")  # endpoint, request, type, status, value, index, length
INTERRUPT = struct.Struct("<BBH")  # endpoint, status, length
HELLO = struct.Struct("<64sI")
_CONNECT = struct.Struct("<BBBBHHH")
_SPEED_LOW = 0
_TYPE_CONTROL, _TYPE_INTERRUPT, _TYPE_INVALID = 0, 3, 255
_IN = 0x80


class UsbredirError(RuntimeError):
    """QEMU's version of the protocol does not match."""


@dataclass(frozen=True)
class Identity:
    """The description of a low-speed device with one interface and one endpoint."""

    vendor: int
    product: int
    release: int
    interface_class: int
    endpoint: int
    packet_bytes: int
    interval_ms: int


@dataclass(frozen=True)
class Setup:
    """The eight bytes that begin a control transfer."""

    kind: int
    request: int
    value: int
    index: int
    length: int


class Device(Protocol):
    """A device to plug in."""

    identity: Identity

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        """Carry out a transfer and return what the guest reads; None stalls."""

    def report(self) -> bytes | None:
        """Return the pending report of the interrupt endpoint, once; None if there is none."""

    def left(self) -> None:
        """Drop everything pending, because it was plugged in again."""


@dataclass
class Cable:
    """Connects a device to QEMU; `serve` handles packets until QEMU disconnects."""

    line: socket.socket
    device: Device
    _greeted: bool = False
    _plugged: bool = False
    _listening: bool = False
    _configuration: int = 0
    # Both the serving thread and the callers of plug and unplug send.
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def serve(self) -> None:
        """Handle QEMU's packets until it disconnects. Raises UsbredirError."""
        hello = HELLO.pack(VERSION, CAPABILITIES)
        with self.line.makefile("rb") as stream, contextlib.suppress(ConnectionError, EOFError):
            self.line.sendall(HELLO_HEADER.pack(Kind.HELLO, len(hello), 0) + hello)
            self._greet(stream)
            while True:
                kind, length, packet = HEADER.unpack(_exactly(stream, HEADER.size))
                body = _exactly(stream, length)
                with self._lock:
                    self._handle(kind, packet, body)

    def plug(self) -> None:
        """Plug the device in; this takes effect after QEMU's hello."""
        with self._lock:
            if not self._plugged:
                self._plugged = True
                self._announce()

    def unplug(self) -> None:
        """Unplug the device."""
        with self._lock:
            if self._plugged:
                self._plugged = self._listening = False
                self._configuration = 0
                if self._greeted:
                    self._send(Kind.DEVICE_DISCONNECT)

    def _greet(self, stream: "_Stream") -> None:
        kind, length, _ = HELLO_HEADER.unpack(_exactly(stream, HELLO_HEADER.size))
        body = _exactly(stream, length)
        if kind != Kind.HELLO or len(body) < HELLO.size:
            raise UsbredirError(f"QEMU began with packet {kind} of {length} bytes, not with hello")
        version, capabilities = HELLO.unpack_from(body)
        if capabilities & CAPABILITIES != CAPABILITIES:
            name = version.rstrip(b"\0").decode(errors="replace")
            raise UsbredirError(f"{name} has capabilities {capabilities:#x}; too few")
        with self._lock:
            self._greeted = True
            self._announce()

    def _announce(self) -> None:
        if not (self._greeted and self._plugged):
            return
        self.device.left()
        it = self.device.identity
        self._send(Kind.INTERFACE_INFO, _interface_info(it))
        self._send(Kind.EP_INFO, _endpoint_info(it))
        connect = _CONNECT.pack(_SPEED_LOW, 0, 0, 0, it.vendor, it.product, it.release)
        self._send(Kind.DEVICE_CONNECT, connect)

    def _handle(self, kind: int, packet: int, body: bytes) -> None:
        if not self._plugged:
            return  # Sent before QEMU saw the disconnect.
        match kind:
            case Kind.CONTROL_PACKET:
                self._control(packet, body)
            case Kind.SET_CONFIGURATION | Kind.GET_CONFIGURATION:
                self._configuration = body[0] if body else self._configuration
                status = bytes([Status.SUCCESS, self._configuration])
                self._send(Kind.CONFIGURATION_STATUS, status, packet)
            case Kind.SET_ALT_SETTING | Kind.GET_ALT_SETTING:
                known = not any(body[1:])
                status = bytes([Status.SUCCESS if known else Status.STALL, body[0], 0])
                self._send(Kind.ALT_SETTING_STATUS, status, packet)
            case Kind.START_INTERRUPT_RECEIVING | Kind.STOP_INTERRUPT_RECEIVING:
                known = body[0] == self.device.identity.endpoint
                self._listening = known and kind == Kind.START_INTERRUPT_RECEIVING
                status = bytes([Status.SUCCESS if known else Status.INVALID, body[0]])
                self._send(Kind.INTERRUPT_RECEIVING_STATUS, status, packet)
            case _:
                pass  # The others need no answer: by the time of a cancel, everything is done.
        self._send_reports()

    def _control(self, packet: int, body: bytes) -> None:
        endpoint, request, kind, _, value, index, length = CONTROL.unpack_from(body)
        setup = Setup(kind, request, value, index, length)
        answer = self.device.control(setup, body[CONTROL.size :])
        status = Status.STALL if answer is None else Status.SUCCESS
        data = (answer or b"")[:length] if kind & _IN else b""
        count = 0 if answer is None else len(data) if kind & _IN else length
        head = CONTROL.pack(endpoint, request, kind, status, value, index, count)
        self._send(Kind.CONTROL_PACKET, head + data, packet)

    def _send_reports(self) -> None:
        while self._listening and (report := self.device.report()) is not None:
            head = INTERRUPT.pack(self.device.identity.endpoint, Status.SUCCESS, len(report))
            self._send(Kind.INTERRUPT_PACKET, head + report)

    def _send(self, kind: Kind, body: bytes = b"", packet: int = 0) -> None:
        self.line.sendall(HEADER.pack(kind, len(body), packet) + body)


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _exactly(stream: _Stream, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _index(endpoint: int) -> int:
    return (endpoint & _IN) >> 3 | endpoint & 0x0F


def _interface_info(it: Identity) -> bytes:
    numbers, subclasses, protocols = bytes(ENDPOINTS), bytes(ENDPOINTS), bytes(ENDPOINTS)
    classes = bytes([it.interface_class]).ljust(ENDPOINTS, b"\0")
    return struct.pack("<I", 1) + numbers + classes + subclasses + protocols


def _endpoint_info(it: Identity) -> bytes:
    types, intervals, sizes = [_TYPE_INVALID] * ENDPOINTS, [0] * ENDPOINTS, [0] * ENDPOINTS
    for zero in (_index(0), _index(_IN)):
        types[zero], sizes[zero] = _TYPE_CONTROL, it.packet_bytes
    place = _index(it.endpoint)
    types[place], intervals[place], sizes[place] = _TYPE_INTERRUPT, it.interval_ms, it.packet_bytes
    interfaces = bytes(ENDPOINTS)
    return bytes(types) + bytes(intervals) + interfaces + struct.pack(f"<{ENDPOINTS}H", *sizes)


@contextlib.contextmanager
def cable(line: socket.socket, device: Device) -> Iterator[Cable]:
    """Serve a connected socket in a thread until the block ends; then disconnect."""
    laid = Cable(line, device)
    serving = threading.Thread(target=laid.serve, name="usbredir", daemon=True)
    serving.start()
    try:
        yield laid
    finally:
        # Closing alone does not wake a thread in recv().
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        serving.join(DEADLINE_S)
        line.close()
