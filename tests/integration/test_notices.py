"""A notice sent by apprise itself to a small web server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.support.mailbox import mailbox

from bigred_server.journal.database import Database
from bigred_server.model.build import Build
from bigred_server.model.release import Stage
from bigred_server.notify.notice import of_build
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


MESSAGE = "<b>Bold</b> & *starred* _x_ :smile: &lt; \\n"
HARMLESS = replace(FAILED, reason="exit 1\nline <two>", message=MESSAGE)


async def mailed(folder: Path, options: str = "") -> EmailMessage:
    """Send a notice about a failed build as a mail; return what arrives."""
    db = await Database.open(folder / "bigred.db")
    with mailbox() as box:
        url = f"mailto://127.0.0.1:{box.port}/?from=b@example.com&to=a@example.com&mode=insecure"
        settings = NotifySettings(urls=(url + options,))
        sender = Notifier({"shop": {"team": settings}}, db)
        running = asyncio.create_task(sender.run())
        try:
            sender.receive_build(HARMLESS)
            assert await asyncio.to_thread(box.came.wait, 20)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await db.close()
    (found,) = box.mails
    return found


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
async def test_a_mail_is_the_plain_text_of_the_notice(tmp_path: Path) -> None:
    found = await mailed(tmp_path)
    assert found["subject"] == "shop build 7 failed"
    (part,) = [one for one in found.walk() if not one.is_multipart()]
    assert part.get_content_type() == "text/plain"
    assert part.get_content().strip().splitlines() == of_build(HARMLESS).body.splitlines()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
async def test_in_a_mail_that_must_be_html_nothing_is_a_tag(tmp_path: Path) -> None:
    found = await mailed(tmp_path, "&format=html")
    (part,) = [one for one in found.walk() if one.get_content_type() == "text/html"]
    text = part.get_content()
    assert "<b>" not in text
    assert "&lt;b&gt;Bold&lt;/b&gt;" in text
    assert text.count("<br") >= 3
