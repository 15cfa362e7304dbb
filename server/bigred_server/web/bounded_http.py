"""HTTP/1.1 as h11 reads it, with limits on what a client makes the server keep or parse."""

from http import HTTPStatus

import h11

# The request line and all headers together, in bytes; also the longest line in front of a chunk.
MOST_HEAD = 16 * 1024
MOST_HEADERS = 100
# h11 takes 20 µs for each chunk, however small: a body of one-byte chunks would occupy the event
# loop for seconds. The first pieces may be small, further ones only if the average is not.
_SMALL_PIECES = 1_000
_LEAST_AVERAGE = 256


class BoundedHttp(h11.Connection):
    """The server's side of one connection; `next_event` also refuses what is out of proportion.

    `is_head`: whether the current request is a HEAD, whose answer has no body.
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MOST_HEAD)
        self.is_head = False
        self._pieces = self._bytes = 0

    def start_next_cycle(self) -> None:
        """Forget the request that was answered."""
        super().start_next_cycle()
        self.is_head = False

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return the next event. Raise RemoteProtocolError as h11 does, and at our own limits."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
            self.is_head = event.method == b"HEAD"
            _check_head(event)
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > _SMALL_PIECES + self._bytes // _LEAST_AVERAGE:
                raise h11.RemoteProtocolError(
                    "the body comes in too many small pieces", HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                )
        return event


def _check_head(request: h11.Request) -> None:
    # h11 limits only a head that is still incomplete; a fast client sends all of it at once.
    size = len(request.target) + sum(len(name) + len(value) for name, value in request.headers)
    if size > MOST_HEAD or len(request.headers) > MOST_HEADERS:
        raise h11.RemoteProtocolError(
            f"the headers exceed the limit of {MOST_HEADERS} headers and {MOST_HEAD} bytes",
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        )
