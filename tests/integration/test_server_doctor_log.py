"""The doctor on HAProxy's log: which lines are missing, and whether any arrive."""

import asyncio
import socket
from pathlib import Path

import pytest

from bigred_broker.program import free_port
from bigred_server.doctor import haproxy_log
from bigred_server.doctor.finding import Severity
from bigred_server.haproxy.configfile import backend
from bigred_server.haproxy.inquiry import inquire
from bigred_server.haproxy.log import LINES
from bigred_server.haproxy.receiver import Receiver

AT = "127.0.0.1:5514"
FORMAT = LINES[-1]
LINE = b"<134>x bigred1 1000 250 shop s1 200 12 15 -- 0 777 GET /shop/a"
WHOLE = f"""\
global
    log {AT} len 4096 local0 info
defaults
    mode http
frontend public
    log global
    {LINES[0]}
    {FORMAT}
    default_backend shop
backend shop
"""


@pytest.mark.parametrize(
    ("text", "level", "says"),
    [
        (WHOLE, Severity.OK, f"logged to {AT}"),
        (
            WHOLE.replace(FORMAT, "option httplog"),
            Severity.WARN,
            "not logged in the format",
        ),
        (WHOLE.replace(AT, "127.0.0.1:514"), Severity.WARN, f"is not sent to {AT}"),
        (WHOLE.replace("    log global\n", ""), Severity.WARN, f"is not sent to {AT}"),
        (
            WHOLE.replace("backend shop", "frontend x\n    default_backend shop\nbackend shop"),
            Severity.WARN,
            "its requests at x are not logged in the format",
        ),
        (
            WHOLE.replace(
                FORMAT, ".if feature(X)\n    option httplog\n.else\n" + FORMAT + "\n.endif"
            ),
            Severity.UNKNOWN,
            "depends on `.if feature(X)`",
        ),
        (WHOLE.replace("mode http", "mode tcp"), Severity.OK, "no log of them"),
    ],
)
def test_a_missing_line_is_reported_with_all_the_lines_to_add(
    text: str, level: Severity, says: str
) -> None:
    (found,) = haproxy_log.in_file("here", backend(text, "shop"), AT)
    assert found.level is level
    assert says in found.text
    if level is not Severity.OK:
        assert FORMAT in found.fix
        assert f"log {AT} len 4096" in found.fix


def test_without_a_log_the_judge_is_reported_to_have_counters_only() -> None:
    (found,) = haproxy_log.setting("server", "")
    assert (found.level, FORMAT in found.fix) == (Severity.WARN, True)
    assert haproxy_log.setting("server", AT) == []
    assert haproxy_log.in_file("here", None, AT) == []


@pytest.mark.parametrize(("kept", "is_reported"), [("10\n", True), ("512\n", False), ("", False)])
def test_a_unix_socket_that_buffers_few_lines_is_reported(
    kept: str, is_reported: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue").write_text(kept)
    monkeypatch.setattr(haproxy_log, "QUEUE", tmp_path / "queue")
    found = haproxy_log.setting("server", "/run/bigred/log.sock")
    assert bool(found) is is_reported
    if is_reported:
        assert found[0].level is Severity.WARN
        assert "buffers 10 lines" in found[0].text
        assert "net.unix.max_dgram_qlen=512" in found[0].fix
    assert haproxy_log.setting("server", "127.0.0.1:5514") == []


async def test_lines_that_arrive_are_reported_and_silence_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(haproxy_log, "LISTENS_S", 0.3)
    at = f"127.0.0.1:{free_port()}"
    listening = asyncio.create_task(haproxy_log.arriving("log", at, ["shop", "till"]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(20):
            sender.sendto(LINE, ("127.0.0.1", int(at.rpartition(":")[2])))
            await asyncio.sleep(0.01)
    (found,) = await listening
    assert (found.level, "no lines received from till in" in found.text) == (Severity.WARN, True)


@pytest.mark.parametrize("by", ["udp", "unix"])
async def test_a_listening_server_is_queried_and_not_disturbed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str
) -> None:
    monkeypatch.setattr(haproxy_log, "LISTENS_S", 5.0)
    at = f"127.0.0.1:{free_port()}" if by == "udp" else str(tmp_path / "log.sock")
    server = Receiver(at, {"shop": lambda _line, _came: None, "till": lambda _line, _came: None})
    with server.listening():
        server.receive(LINE, 1000.0)
        server.receive(b"haproxy says something else", 1000.0)
        (found,) = await haproxy_log.arriving("log", at, ["shop"])
        assert (found.level, found.text) == (
            Severity.OK,
            "lines received since the server started to listen: 1",
        )
        (found,) = await haproxy_log.arriving("log", at, ["shop", "till"])
        assert found.level is Severity.WARN
        assert found.text == (
            "no lines received from till since the server started to listen; "
            "1 received in another format"
        )
        # It still receives lines.
        assert (await inquire(at, 5.0)).lines == {"shop": 1, "till": 0}


async def test_a_stranger_at_the_address_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(haproxy_log, "LISTENS_S", 0.05)
    at = f"127.0.0.1:{free_port()}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", int(at.rpartition(":")[2])))
        (found,) = await haproxy_log.arriving("log", at, ["shop"])
    assert found.level is Severity.BAD
    assert "does not report what arrived" in found.text
