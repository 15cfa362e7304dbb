"""A connection that is gone leaves nothing behind: no thread, no socket, no late CONNECT."""

import asyncio
import contextlib
import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from tests.support.until import until

from bigred_broker import mosquitto
from bigred_broker.connection import Connection, Delivery, NotConnectedError
from bigred_broker.program import free_port
from bigred_broker.settings import BrokerSettings

DEADLINE_S = 10.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerSettings]:
    settings = BrokerSettings(port=free_port())
    text = mosquitto.configuration(settings) + "log_type all\n"
    with mosquitto.started(tmp_path, text, settings.port):
        yield settings


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Objects are freed only because no references are left, not by the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def make(settings: BrokerSettings, name: str = "red") -> Connection:
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    return Connection(settings, name, "t/status", 0, deliveries)


def network_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("paho")]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def no_network_threads() -> None:
    await until(
        lambda: not network_threads(), DEADLINE_S, "no network thread is left", network_threads
    )


async def at_most_open(files: int) -> None:
    await until(
        lambda: open_files() <= files, DEADLINE_S, f"at most {files} files are open", open_files
    )


async def opened_and(settings: BrokerSettings, end: str) -> None:
    connection = make(settings)
    await connection.open(DEADLINE_S)
    await connection.subscribe(["t/#"], DEADLINE_S)
    connection.publish("t/event", b"x", expiry_s=5)
    assert await connection.answers(DEADLINE_S)
    if end == "close":
        await connection.close(DEADLINE_S)
    connection.drop()


@pytest.mark.parametrize("end", ["close", "drop"])
@pytest.mark.usefixtures("no_collector")
async def test_fifty_connections_leave_no_thread_and_no_socket(
    broker: BrokerSettings, end: str
) -> None:
    await opened_and(broker, end)  # from now on the executor's own threads and files exist
    await no_network_threads()
    before, threads = open_files(), threading.active_count()
    for _ in range(50):
        await opened_and(broker, end)
    await no_network_threads()
    await at_most_open(before)
    # At most the executor's threads, which are few and reused.
    assert threading.active_count() <= threads + 2 * (os.cpu_count() or 1) + 8


@pytest.mark.usefixtures("no_collector")
async def test_fifty_refused_connections_leave_nothing() -> None:
    nobody = BrokerSettings(port=free_port())
    with pytest.raises(ConnectionRefusedError):
        await make(nobody).open(DEADLINE_S)
    before = open_files()
    for _ in range(50):
        connection = make(nobody)
        with pytest.raises(ConnectionRefusedError):
            await connection.open(DEADLINE_S)
        connection.drop()
        del connection
    assert not network_threads()
    await at_most_open(before)


@pytest.mark.usefixtures("no_collector")
async def test_a_server_that_never_answers_leaves_nothing() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
            while await reader.read(1000):
                pass
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        settings = BrokerSettings(port=server.sockets[0].getsockname()[1])
        before = open_files()
        for _ in range(10):
            connection = make(settings)
            with pytest.raises(ConnectionError, match=r"CONNECT: no answer within 0\.05 s"):
                await connection.open(0.05)
            connection.drop()
            del connection
        await no_network_threads()
        await at_most_open(before)


async def test_a_connection_given_up_while_dialling_never_reaches_the_broker(
    broker: BrokerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would evict a newer connection with the same name.
    may_dial, original = threading.Event(), Client._create_socket_connection
    dialled: list[bool] = []

    def slow(self: Client) -> Any:
        if not dialled:
            dialled.append(False)
            assert may_dial.wait(DEADLINE_S)
        return original(self)

    original_connect = Client.connect

    def connect(self: Client, *arguments: Any, **named: Any) -> Any:
        try:
            return original_connect(self, *arguments, **named)
        finally:
            dialled.append(True)

    monkeypatch.setattr(Client, "_create_socket_connection", slow)
    monkeypatch.setattr(Client, "connect", connect)
    late = make(broker)
    with pytest.raises(ConnectionError, match="no answer within"):
        await late.open(0.1)
    late.drop()
    current = make(broker)
    await current.open(DEADLINE_S)
    may_dial.set()
    await until(lambda: dialled.count(True) == 2, DEADLINE_S, "both have dialled")
    assert await current.answers(DEADLINE_S)
    assert not current.lost.done()
    await current.close(DEADLINE_S)
    current.drop()
    assert (tmp_path / "mosquitto.log").read_text().count("as red") == 1


async def test_a_late_acknowledgement_of_a_dropped_connection_is_harmless(
    broker: BrokerSettings,
) -> None:
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    connection = Connection(broker, "red", "t/status", 0, deliveries)
    await connection.open(DEADLINE_S)
    await connection.subscribe(["t/event"], DEADLINE_S)
    connection.publish("t/event", b"x")
    delivery = await asyncio.wait_for(deliveries.get(), DEADLINE_S)
    connection.drop()
    await no_network_threads()
    delivery.ack()


async def test_a_heartbeat_of_a_lost_connection_is_answered_no_at_once(
    broker: BrokerSettings,
) -> None:
    connection = make(broker)
    await connection.open(DEADLINE_S)
    connection.drop()
    started = time.monotonic()
    assert not await connection.answers(DEADLINE_S)
    assert time.monotonic() - started < 1
    assert connection._pings == []


async def test_a_heartbeat_without_an_answer_is_forgotten(broker: BrokerSettings) -> None:
    connection = make(broker)
    await connection.open(DEADLINE_S)
    for _ in range(20):
        await connection.answers(0.0)
    assert connection._pings == []
    connection.drop()


async def test_closing_a_lost_connection_does_not_wait_for_the_deadline(
    broker: BrokerSettings,
) -> None:
    connection = make(broker)
    await connection.open(DEADLINE_S)
    with contextlib.suppress(NotConnectedError):  # if Mosquitto is faster than publish
        connection.publish("t/event", b"never acknowledged" * 2000)  # over its limit
    assert await asyncio.wait_for(connection.lost, DEADLINE_S) == "Packet too large"
    started = time.monotonic()
    await connection.close(DEADLINE_S)
    connection.drop()
    assert time.monotonic() - started < 1


async def test_more_messages_than_may_be_in_flight_all_arrive_before_the_farewell(
    broker: BrokerSettings,
) -> None:
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    ear = Connection(broker, "ear", "t/ear", 0, deliveries)
    await ear.open(DEADLINE_S)
    await ear.subscribe(["t/event"], DEADLINE_S)
    mouth = make(broker)
    await mouth.open(DEADLINE_S)
    for number in range(300):
        mouth.publish("t/event", str(number).encode())
    await mouth.close(DEADLINE_S)
    mouth.drop()
    for number in range(300):
        delivery = await asyncio.wait_for(deliveries.get(), DEADLINE_S)
        delivery.ack()
        assert delivery.payload == str(number).encode()
    ear.drop()
