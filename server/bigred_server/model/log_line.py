"""One request, as HAProxy's log reports it."""

import re
from dataclasses import dataclass

_MOST_GROUP = 60
# A path segment that names one thing of many: it has a digit, or it is long.
_NAME = re.compile(r"[^/]*[0-9][^/]*|[^/]{25,}")


@dataclass(frozen=True)
class LogLine:
    """One request.

    `came`: Unix time of its arrival, `at`: of its end. `took_ms`: the server's own time until the
    response header, -1 if there was no response. `state`: HAProxy's letters for how it ended.
    """

    came: float
    at: float
    backend: str
    server: str
    status: int
    took_ms: int
    state: str
    retries: int
    client: str
    method: str
    path: str

    @property
    def failed(self) -> bool:
        """Whether the server is to blame: it answered 5xx or broke off the connection.

        A client that disconnects (C) is nobody's error; without a response there is no status.
        """
        if self.state[:1] == "C" and self.status < 500:
            return False
        return self.status >= 500 or self.state[:1] in ("S", "s")

    @property
    def group(self) -> str:
        """The path's group: its first two segments, with names and numbers replaced by "*"."""
        parts = [_NAME.sub("*", part) for part in self.path.split("?", 1)[0].split("/")[1:3]]
        return ("/" + "/".join(parts))[:_MOST_GROUP]
