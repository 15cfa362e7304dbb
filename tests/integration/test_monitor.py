"""QEMU's monitor, played by the test."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.monitor import monitor

GREETING: dict[str, Any] = {"QMP": {}}
EVENT: dict[str, Any] = {"event": "RTC_CHANGE"}


def answers(line: socket.socket) -> Iterator[str]:
    """Answer the monitor's commands as a raspi3b whose pins 17 and 40 are high."""
    registers = {"xp /1wx 0x3f200034": 0x0002_0000, "xp /1wx 0x3f200038": 0x0000_0100}
    for said in line.makefile():
        asked = json.loads(said)
        if asked["execute"] == "human-monitor-command":
            command = asked["arguments"]["command-line"]
            yield f"000000003f200034: {registers[command]:#010x}\r\n"
        elif asked["execute"] == "qmp_capabilities":
            yield ""
        else:
            return


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "qmp"))
        server.listen()

        def serve() -> None:
            line, _ = server.accept()
            with line:
                line.sendall(json.dumps(GREETING).encode() + b"\n")
                for answer in answers(line):
                    reply = f"{json.dumps(EVENT)}\n{json.dumps({'return': answer})}\n"
                    line.sendall(reply.encode())
                line.sendall(b'{"error": {"class": "CommandNotFound", "desc": "no such one"}}\n')

        serving = threading.Thread(target=serve)
        serving.start()
        yield tmp_path / "qmp"
        serving.join(5)


def test_the_pins_of_a_board_are_read_and_a_refusal_is_reported(path: Path) -> None:
    with monitor(path) as talk:
        assert [number for number in range(54) if talk.pin(number)] == [17, 40]
        with pytest.raises(RuntimeError, match="no such one"):
            talk.ask("quit-smoking")
