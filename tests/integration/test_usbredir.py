"""The cable to a QEMU, connected by a socket in a folder."""

import socket
from pathlib import Path
from threading import Thread

import pytest
from tests.support.sockets import connect
from tests.support.virtual_button import VirtualButton, on_socket


def test_it_waits_for_the_socket_however_deep_its_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with pytest.raises(TimeoutError, match="nobody listens"):
        connect(deep / "red", 0.01)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "red"))
        (tmp_path / "red").rename(deep / "red")
        server.settimeout(5)
        listening = Thread(target=server.listen)
        listening.start()
        with on_socket(VirtualButton(), deep / "red"):
            server.accept()[0].close()
        listening.join()
