"""A small web server on a free port, whose answers a test can change while it runs."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """`/health` answers `health`; every other path the name, while `gate` is open.

    While it `breaks_off` it closes the connection instead. `served`: the requested paths, except
    the health.
    """

    name: str
    port: int = 0
    health: int = 200
    breaks_off: bool = False
    served: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def web(name: str) -> Iterator[Web]:
    """Serve until the block ends."""
    site = Web(name)
    site.gate.set()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/health":
                self.send_response(site.health)
            else:
                site.served.append(self.path)
                site.gate.wait(20)
                if site.breaks_off:
                    self.close_connection = True
                    return
                self.send_response(200)
            self.send_header("Content-Length", str(len(site.name)))
            self.end_headers()
            self.wfile.write(site.name.encode())

        do_HEAD = do_OPTIONS = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a stopping HAProxy resets its connections

    server = Server(("127.0.0.1", 0), Answers)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield site
    finally:
        site.gate.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
