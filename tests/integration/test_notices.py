"""A notice sent by apprise itself to a small web server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bigred_server.journal.database import Database
from bigred_server.model.build import Build
from bigred_server.model.release import Stage
from bigred_server.notify.notifier import Notifier
from bigred_server.settings.notify import NotifySettings

FAILED = Build("b-1", 7, "shop", "abc", "main", "ada", 1.0, Stage.FAILED, "unit", "exit 1")


class Inbox(HTTPServer):
    """Collects what is posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.taken: list[dict[str, object]] = []
        self.came = threading.Event()


class _Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Inbox)
        self.server.taken.append(json.loads(body))
        self.send_response(200)
        self.end_headers()
        self.server.came.set()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)


# One of apprise's plugins imports a module that Python 3.13 has removed, and handles that.
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
async def test_a_notice_goes_to_every_address_of_the_file(inbox: Inbox, tmp_path: Path) -> None:
    urls = tmp_path / "urls"
    urls.write_text(f"# the team\nno-such-scheme://x\njson://127.0.0.1:{inbox.server_port}/\n")
    db = await Database.open(tmp_path / "bigred.db")
    sender = Notifier({"shop": {"team": NotifySettings(urls_file=urls)}}, db)
    running = asyncio.create_task(sender.run())
    try:
        sender.receive_build(FAILED)
        assert await asyncio.to_thread(inbox.came.wait, 20)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await db.close()
    (found,) = inbox.taken
    assert found["title"] == "shop build 7 failed"
    assert found["type"] == "warning"
    assert "bigred build log 7 unit" in str(found["message"])
