import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.support.web import web

from bigred_broker.program import ProgramError, free_port, is_listening, wait_until
from bigred_server.haproxy.configuration import BackendConfig
from bigred_server.haproxy.instance import HaproxyInstance


@pytest.fixture
def backend() -> Iterator[BackendConfig]:
    with web("n1") as first, web("n2") as second:
        servers = (("n1", first.port), ("n2", second.port))
        yield BackendConfig("shop", servers, "/health", sticky_cookie="NODE")


@pytest.fixture
def haproxy(tmp_path: Path, backend: BackendConfig) -> Iterator[HaproxyInstance]:
    instance = HaproxyInstance(tmp_path, free_port(), backend)
    with instance.run():
        yield instance


def ask(haproxy: HaproxyInstance, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(5)
        line.connect(str(haproxy.admin_socket))
        line.sendall(f"{command}\n".encode())
        return line.makefile().read()


def names(haproxy: HaproxyInstance, times: int = 20) -> set[str]:
    url = f"http://127.0.0.1:{haproxy.port}/"
    return {httpx2.get(url).raise_for_status().text for _ in range(times)}


def test_it_sends_users_to_every_node(haproxy: HaproxyInstance) -> None:
    assert names(haproxy) == {"n1", "n2"}


def test_a_user_with_a_cookie_stays_on_a_node(haproxy: HaproxyInstance) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{haproxy.port}") as user:
        assert len({user.get("/").text for _ in range(10)}) == 1


def test_a_node_that_dies_costs_no_request(tmp_path: Path) -> None:
    with web("n2") as second, contextlib.ExitStack() as first_lives:
        first = first_lives.enter_context(web("n1"))
        servers = (("n1", first.port), ("n2", second.port))
        backend = BackendConfig("shop", servers, "/health")
        haproxy = HaproxyInstance(tmp_path, free_port(), backend)
        with haproxy.run():
            assert names(haproxy) == {"n1", "n2"}
            first_lives.close()
            assert names(haproxy) == {"n2"}
            wait_until(lambda: "DOWN" in ask(haproxy, "show stat"), 5, "the check sees it")


def test_a_reload_knows_which_node_is_in_maintenance(haproxy: HaproxyInstance) -> None:
    ask(haproxy, "set server shop/n1 state maint")
    haproxy.reload()
    assert names(haproxy) == {"n2"}


def test_a_reload_ends_no_connection(haproxy: HaproxyInstance) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{haproxy.port}") as user:
        user.get("/")
        haproxy.reload()
        assert user.get("/").status_code == 200


def test_it_is_gone_when_the_block_ends(tmp_path: Path, backend: BackendConfig) -> None:
    haproxy = HaproxyInstance(tmp_path, free_port(), backend)
    with haproxy.run():
        assert is_listening(haproxy.port)
    wait_until(lambda: not is_listening(haproxy.port), 5, "the port is closed")


def test_a_port_in_use_is_refused(tmp_path: Path, haproxy: HaproxyInstance) -> None:
    second = HaproxyInstance(tmp_path / "second", haproxy.port, haproxy.backend)
    with pytest.raises(ProgramError, match="taken"), second.run():
        pass


def test_an_invalid_configuration_is_refused_in_haproxys_own_words(tmp_path: Path) -> None:
    twice = BackendConfig("shop", (("n1", free_port()), ("n1", free_port())), "no path")
    with (
        pytest.raises(ProgramError, match=r"haproxy\.cfg:\d+"),
        HaproxyInstance(tmp_path, free_port(), twice).run(),
    ):
        pass


def test_a_reload_without_a_haproxy_is_reported(tmp_path: Path, backend: BackendConfig) -> None:
    with pytest.raises(ProgramError, match="no HAProxy answers"):
        HaproxyInstance(tmp_path, free_port(), backend).reload()
