"""A real HAProxy started in the ways that people start it: where its files are, and its master."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support import forked
from tests.support.sockets import listens

from bigred_broker.program import find_program, running, wait_until
from bigred_server.errors import HaproxyError
from bigred_server.haproxy import runtime
from bigred_server.haproxy.survey import survey

CONFIG = """\
global
    stats socket {folder}/admin.sock mode 600 level admin
{more}
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen shop
    bind unix@{folder}/web.sock
    http-reuse "$REUSE"
    server n1 127.0.0.1:1
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's folder: in a lane, its name is too long for HAProxy's socket.
    with TemporaryDirectory(prefix="bigred-start-") as name:
        yield Path(name)


def write(folder: Path, more: str = "") -> Path:
    config = folder / "h.cfg"
    config.write_text(CONFIG.format(folder=folder, more=more))
    return config


def in_folder(folder: Path, *arguments: str) -> list[str]:
    """Start HAProxy as a shell does in this folder."""
    program = find_program("haproxy", "haproxy")
    return ["/usr/bin/env", "-C", str(folder), f"PWD={folder}", "REUSE=never", program, *arguments]


def reuse(folder: Path) -> tuple[str, ...] | None:
    """Return what HAProxy made of a line with a variable, by the survey."""
    seen = asyncio.run(survey(str(folder / "admin.sock")))
    assert seen.config is not None, seen.unread
    proxy = seen.proxy("shop")
    assert proxy is not None
    assert seen.modes == {"shop": "http"}
    return proxy.last("http-reuse")


@pytest.mark.parametrize(
    "arguments", [("-db", "-f", "h.cfg"), ("-W", "-f", "h.cfg"), ("-db", "-f", ".")]
)
def test_a_relative_path_is_found(folder: Path, arguments: tuple[str, ...]) -> None:
    write(folder)
    argv = in_folder(folder, *arguments)
    with running("haproxy", argv, folder / "log", lambda: listens(folder / "admin.sock")):
        assert reuse(folder) == ("never",)


def test_a_relative_path_is_found_after_a_change_of_folder(folder: Path) -> None:
    (folder / "below").mkdir()
    write(folder).rename(folder / "below" / "h.cfg")
    argv = in_folder(folder, "-db", "-C", "below", "-f", "h.cfg")
    with running("haproxy", argv, folder / "log", lambda: listens(folder / "admin.sock")):
        assert reuse(folder) == ("never",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the root folder")
@pytest.mark.parametrize("is_master", [True, False])
def test_a_relative_path_is_found_in_a_chroot(folder: Path, is_master: bool) -> None:
    (folder / "jail").mkdir()
    write(folder, f"    chroot {folder}/jail")
    argv = in_folder(folder, "-W" if is_master else "-db", "-f", "h.cfg")
    with running("haproxy", argv, folder / "log", lambda: listens(folder / "admin.sock")):
        assert reuse(folder) == ("never",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the root folder")
def test_a_relative_path_is_found_of_a_daemon_in_a_chroot(folder: Path) -> None:
    (folder / "jail").mkdir()
    write(folder, f"    chroot {folder}/jail")
    argv = in_folder(folder, "-D", "-p", str(folder / "pid"), "-f", "h.cfg")
    subprocess.run(argv, check=True, timeout=20)
    pid = int((folder / "pid").read_text())
    try:
        assert reuse(folder) == ("never",)
    finally:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path("/proc", str(pid), "fd", "0").exists(), 10, "HAProxy is gone")


def test_the_masters_socket_is_named_as_such(folder: Path) -> None:
    config, master = write(folder), folder / "master.sock"
    argv = in_folder(folder, "-W", "-S", str(master), "-f", str(config))
    with running("haproxy", argv, folder / "log", lambda: listens(folder / "admin.sock")):
        done = forked.run("init", str(folder / "b.toml"), "--haproxy", str(master))
        assert done.returncode == 1
        assert f"{master}: this is the socket of HAProxy's master" in done.stderr
        assert "give the path of a 'stats socket' line" in done.stderr
        with pytest.raises(HaproxyError, match="HAProxy's master"):
            asyncio.run(runtime.command(str(master), "show stat", 0.5))
        assert asyncio.run(runtime.command(str(folder / "admin.sock"), "show backend"))


def test_all_names_are_listed_in_full(folder: Path) -> None:
    backend = "prod-ingress_namespace-with-a-long-name_service-books-tomcat_8080"
    names = ["node:100:x", ":a:", "node-with-a-long-name.prod.eu-west-1a.internal.example.org"]
    text = write(folder).read_text().replace("listen shop", f"listen {backend}")
    servers = "".join(f"    server {name} 127.0.0.1:1\n" for name in names)
    (folder / "h.cfg").write_text(text + servers)
    argv = in_folder(folder, "-db", "-f", "h.cfg")
    with running("haproxy", argv, folder / "log", lambda: listens(folder / "admin.sock")):
        done = forked.run("init", "--haproxy", str(folder / "admin.sock"))
    assert f"{backend}  n1, {', '.join(names)}" in done.stdout
