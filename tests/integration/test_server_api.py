"""The HTTP API as the deploy server serves it: alongside everything else, and no longer than it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.support.api_site import DEADLINE_S, ApiSite, bearer

from bigred_broker.program import is_listening, wait_until

# The server's own bounds for requests being answered, and for everything else that it must end.
STOP_S = 8.0


@pytest.fixture
def site(tmp_path: Path) -> ApiSite:
    made = ApiSite(tmp_path)
    made.write()
    return made


def test_the_server_answers_and_reveals_nothing_about_its_software(site: ApiSite) -> None:
    with site.server(), site.http() as http:
        wait_until(lambda: is_listening(site.port), DEADLINE_S, "it listens")
        answer = http.get("/healthz")
        assert answer.json() == {"status": "ok"}
        assert "server" not in answer.headers
        assert http.get("/api/v1/apps").json() == {"apps": ["shop"]}
        shop = "/api/v1/apps/shop"
        wait_until(lambda: http.get(shop).json()["nodes"], DEADLINE_S, "it was looked at")
        [node] = http.get(shop).json()["nodes"]
        assert (node["name"], node["state"]) == ("node1", "unknown")
        assert http.get(shop, headers={"Authorization": "Bearer nobody"}).status_code == 401


def test_a_new_token_is_accepted_until_it_is_revoked(site: ApiSite) -> None:
    with site.server(), site.http() as http:
        wait_until(lambda: is_listening(site.port), DEADLINE_S, "it listens")
        made = site.bigred("token", "create", "wallboard", "--role", "viewer").stdout.strip()
        headers = {"Authorization": f"Bearer {made}"}
        assert http.get("/api/v1/apps", headers=headers).status_code == 200
        refused = http.post("/api/v1/apps/shop/deployments", headers=headers)
        assert "has the role viewer; this needs operator" in refused.json()["error"]
        listed = site.bigred("token", "list").stdout
        [row] = [line for line in listed.splitlines() if "wallboard" in line]
        assert "never" not in row, "it was used, and it expires"
        assert made not in listed
        said = site.bigred("token", "revoke", "wallboard").stdout
        assert said == f"revoked token {row.split()[0]} of wallboard, viewer\n"
        ended = http.get("/api/v1/apps", headers=headers)
        assert ended.status_code == 401
        assert ended.json()["error"].startswith("this token of wallboard was revoked;")
        assert "wallboard" not in site.bigred("token", "list").stdout
        assert "revoked by" in site.bigred("token", "list", "--all").stdout


def test_commands_are_in_the_journal_with_who_gave_them(site: ApiSite) -> None:
    with site.server(), site.http() as http:
        wait_until(lambda: is_listening(site.port), DEADLINE_S, "it listens")
        answer = http.post("/api/v1/apps/shop/commands", json={"command": "hold"})
        assert answer.status_code == 409
        assert answer.json() == {"error": "no deployment of shop is running; see: bigred history"}
        assert "no release of shop is live" in http.post(
            "/api/v1/apps/shop/commands", json={"command": "rollback"}
        ).json()["error"]  # fmt: skip


@pytest.mark.parametrize(
    "left_behind",
    [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /api/v1/apps/shop/commands HTTP/1.1"],
    ids=["silent", "idle", "half a request"],
)
def test_no_client_keeps_the_server_from_stopping(site: ApiSite, left_behind: bytes) -> None:
    with site.server() as server:
        wait_until(lambda: is_listening(site.port), DEADLINE_S, "it listens")
        with closing(socket.create_connection(("127.0.0.1", site.port), DEADLINE_S)) as client:
            client.sendall(left_behind)
            if left_behind.endswith(b"\r\n\r\n"):
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            begun_s = time.monotonic()
            os.kill(server.pid, signal.SIGTERM)
            assert server.wait(STOP_S) == 0
            assert time.monotonic() - begun_s < STOP_S
    assert not is_listening(site.port)
    assert "Traceback" not in site.log()


def test_a_body_that_never_ends_is_cut_off_when_the_server_stops(site: ApiSite) -> None:
    with site.server() as server:
        wait_until(lambda: is_listening(site.port), DEADLINE_S, "it listens")
        with closing(socket.create_connection(("127.0.0.1", site.port), DEADLINE_S)) as client:
            head = (
                "POST /api/v1/apps/shop/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n"
                "Content-Type: application/json\r\n"
                f"Authorization: {bearer('operator')['Authorization']}\r\n\r\n"
            )
            client.sendall(head.encode() + b"{")
            # Another request is answered after it, so the first one is being read by then.
            with site.http() as http:
                assert http.get("/healthz").status_code == 200
            os.kill(server.pid, signal.SIGTERM)
            assert server.wait(STOP_S) == 0


def test_an_address_in_use_is_named(site: ApiSite) -> None:
    with closing(socket.create_server(("127.0.0.1", site.port))):
        done = site.bigred("server", "--config", str(site.config))
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"bigred: the HTTP API can't listen on 127.0.0.1:{site.port}: ")
    assert last.endswith("set 'listen' in [api] to a free address of this machine")


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("nowhere.invalid:80", "bigred: the HTTP API can't listen on nowhere.invalid:80: "),
        ("127.0.0.1:99999", "bigred.toml:7: api.listen: the port can't be greater than 65535"),
        ("127.0.0.1", "bigred.toml:7: api.listen: "),
    ],
)
def test_an_invalid_address_is_named(site: ApiSite, listen: str, said: str) -> None:
    site.config.write_text(site.config.read_text().replace(f"127.0.0.1:{site.port}", listen))
    done = site.bigred("server", "--config", str(site.config))
    assert done.returncode == 1
    assert said in done.stderr


def test_without_an_address_nothing_listens(site: ApiSite) -> None:
    site.write(listen=False)
    with site.server() as server:
        descriptors = Path(f"/proc/{server.pid}/fd").iterdir()
        sockets = set()
        for each in descriptors:
            with suppress(FileNotFoundError):  # closed meanwhile
                sockets.add(str(each.readlink()))
        listening = Path(f"/proc/{server.pid}/net/tcp").read_text().splitlines()[1:]
        inodes = {f"socket:[{line.split()[9]}]" for line in listening if line.split()[3] == "0A"}
        assert not sockets & inodes


def test_without_an_api_its_libraries_are_not_loaded() -> None:
    code = "import sys, bigred_server.cli.options; print('fastapi' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stdout == "False\n"


def test_an_answer_is_sent_at_once_without_waiting_for_an_acknowledgement(site: ApiSite) -> None:
    with site.server(), site.http() as http:
        wait_until(lambda: is_listening(site.port), DEADLINE_S, "it listens")
        taken_s = [http.get("/healthz").elapsed.total_seconds() for _ in range(20)]
        # Linux waits at least 40 ms before it acknowledges a segment without an answer.
        assert min(taken_s) < 0.03
