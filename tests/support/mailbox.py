"""A mail server that keeps what it is given."""

import contextlib
import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage

# The answers to the commands of SMTP, by their first word.
_ANSWERS = {b"DATA": b"354 go on", b"QUIT": b"221 bye"}


@dataclass
class Mailbox:
    """The mails that came, and the port to send them to."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Serve a mailbox on a free loopback port."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                word = line.split()[0].upper()
                self.wfile.write(_ANSWERS.get(word, b"250 well") + b"\r\n")
                if word == b"DATA":
                    self._take()
                if word == b"QUIT":
                    return

        def _take(self) -> None:
            lines = []
            for line in self.rfile:
                if line == b".\r\n":
                    break
                lines.append(line.removeprefix(b"."))
            found = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            box.mails.append(found)
            self.wfile.write(b"250 taken\r\n")
            box.came.set()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join(5)
