"""The pulse of a server: the longest time in which it answered nothing."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_EVERY_S = 0.1
_LONGEST_S = 60.0


@dataclass
class Pulse:
    """The seconds that each answer took, one question after another."""

    port: int
    answers_s: list[float] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def is_felt(self) -> bool:
        """Return whether the server answers."""
        try:
            self._ask(1.0)
        except OSError:
            return False
        return True

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Ask again and again until the block ends."""
        asking = threading.Thread(target=self._take, name="pulse")
        asking.start()
        try:
            yield
        finally:
            self._over.set()
            asking.join(2 * _LONGEST_S)

    def _take(self) -> None:
        while not self._over.wait(_EVERY_S):
            begun_s = time.monotonic()
            with contextlib.suppress(OSError):  # it took as long as this all the same
                self._ask(_LONGEST_S)
            self.answers_s.append(time.monotonic() - begun_s)

    def _ask(self, deadline_s: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=deadline_s)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            connection.getresponse().read()
