"""One connection to the HTTP API: uvicorn's, with deadlines, limits, and the API's own errors."""

import asyncio
import json
import sys
from enum import Enum
from http import HTTPStatus
from typing import Any  # uvicorn's own type for the state of an app

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from bigred_server.web.bounded_http import MOST_HEAD, BoundedHttp
from bigred_server.web.connections import Connections

KEEP_ALIVE_S = 5


class Waiting(Enum):
    """What a connection waits for, and how many seconds it may; the whole of it, not each byte."""

    REQUEST = ("request", KEEP_ALIVE_S)
    HEAD = ("head", 10)
    BODY = ("body", 30)
    ANSWER = ("answer", 60)
    READER = ("reader", 30)
    """The client does not read its answer."""
    LEFTOVER = ("leftover", 2)
    """The client still sends a body that was refused; closing at once could lose the refusal."""
    END = ("end", 2)

    def __init__(self, _: str, limit_s: float) -> None:
        self.limit_s = limit_s


_TOO_MANY = "too many connections; try again in a moment"
_SENTENCES = {
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"the headers, or a line in front of a chunk, exceed the limit of {MOST_HEAD} bytes"
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body comes in too many small pieces",
    HTTPStatus.NOT_IMPLEMENTED: "of all transfer encodings only 'chunked' is known",
}


class Connection(H11Protocol):
    """A connection with its place among the `others`."""

    def __init__(
        self,
        others: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn: BoundedHttp = BoundedHttp()
        self.address = ""
        self.since_s = self.loop.time()
        self._others = others
        self._waiting = Waiting.REQUEST
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def is_answering(self) -> bool:
        """Whether a whole request is in the server's hands."""
        return self._waiting is Waiting.ANSWER

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or refuse to."""
        super().connection_made(transport)
        # uvicorn is told that writing pauses if anything is left, and that it resumes once all is
        # in the kernel's hands. With a limit of 0, TLS in asyncio pauses if nothing is left, too.
        transport.set_write_buffer_limits(high=1 if self.scheme == "https" else 0, low=0)
        self.address = self.client[0] if self.client else ""
        self._wait_for(Waiting.REQUEST)
        if not self._others.add(self):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, _TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._others.remove(self)
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        super().on_response_complete()
        self._look(anew=True)

    def resume_writing(self) -> None:
        """The kernel has taken the whole answer."""
        super().resume_writing()
        self._look()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; uvicorn calls this while it handles h11's error."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        status = HTTPStatus(hint)
        self._refuse(status, _SENTENCES.get(status, "this is not valid HTTP/1.1"))

    def make_way(self) -> None:
        """Close the connection in favour of another one."""
        if self._waiting in (Waiting.HEAD, Waiting.BODY):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, _TOO_MANY)
        else:
            self.transport.abort()

    def _look(self, *, anew: bool = False) -> None:
        waiting = self._seen()
        if anew or waiting is not self._waiting:
            self._wait_for(waiting)

    def _seen(self) -> Waiting:
        if self.transport.is_closing():
            return Waiting.READER if self.flow.write_paused else Waiting.END
        body_is_whole = self.conn.their_state is not h11.SEND_BODY
        if self.cycle is not None and not self.cycle.response_complete:
            return Waiting.ANSWER if body_is_whole else Waiting.BODY
        if not body_is_whole:
            return Waiting.LEFTOVER
        if self.flow.write_paused:
            return Waiting.READER
        return Waiting.HEAD if self.conn.trailing_data[0] else Waiting.REQUEST

    def _wait_for(self, waiting: Waiting) -> None:
        self._waiting, self.since_s = waiting, self.loop.time()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(waiting.limit_s, self._end_of_patience)

    def _end_of_patience(self) -> None:
        if self._waiting in (Waiting.HEAD, Waiting.BODY):
            sentence = f"the request was not complete after {self._waiting.limit_s} s"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, sentence)
        else:
            self.transport.abort()

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Answer with an error if that is still possible, and close the connection."""
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": sentence}, separators=(",", ":")).encode()
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
            ]
            answer = h11.Response(status_code=status, headers=headers, reason=status.phrase)
            content = [] if self.conn.is_head else [h11.Data(data=body)]
            try:
                for event in (answer, *content, h11.EndOfMessage()):
                    self.transport.write(self.conn.send(event) or b"")
            except h11.LocalProtocolError:
                # Whatever h11 objects to: the connection ends all the same.
                self.transport.abort()
        if self.cycle is not None:
            # Whoever is still at work on this request learns that nobody waits for the answer.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self._wait_for(Waiting.END)
