"""One request, as HAProxy's log reports it."""

import re
from dataclasses import dataclass

_MOST_GROUP = 60
# A part of a path that names one thing among many: with a digit in it, or long.
_NAME = re.compile(r"[^/]*[0-9][^/]*|[^/]{25,}")


@dataclass(frozen=True)
class LogLine:
    """One request.

    `came`: Unix time of its coming, `at` of its end. `took_ms`: the server's own time until its
    answer's header, -1 when there was none. `state`: how it ended, in HAProxy's letters.
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
        """Whether the server is to blame: it answered 5xx, or broke off.

        A client that goes away (C) is no error of anybody's; without an answer there is no status.
        """
        if self.state[:1] == "C" and self.status < 500:
            return False
        return self.status >= 500 or self.state[:1] in ("S", "s")

    @property
    def group(self) -> str:
        """The path's group: its first two parts, names and numbers taken out."""
        parts = [_NAME.sub("*", part) for part in self.path.split("?", 1)[0].split("/")[1:3]]
        return ("/" + "/".join(parts))[:_MOST_GROUP]
