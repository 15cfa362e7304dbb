"""What the journal keeps of a run in Jenkins, so that any server can continue to follow it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any  # the journal keeps it as JSON


class Stop(StrEnum):
    """How a build is stopped, ever harder; all but the first work only for Pipelines."""

    STOP = "stop"
    TERM = "term"
    KILL = "kill"


@dataclass(frozen=True)
class RunRecord:
    """Where a run is in Jenkins; times are seconds of Unix time.

    `asked_at`: when Jenkins was asked for it, written before that. `item`: its queue item. `build`:
    its number. `began_at`: when the build began. `stop`: how it was last stopped, `stopped_at`:
    when, `why`: the reason, "" for a command.
    """

    asked_at: float | None = None
    item: int | None = None
    build: int | None = None
    began_at: float | None = None
    stop: Stop | None = None
    stopped_at: float | None = None
    why: str = ""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "RunRecord":
        """Read it from the journal; ignore keys that a newer Bigred added."""
        known = {name: kept[name] for name in cls.__dataclass_fields__ if name in kept}
        stop = known.get("stop")
        return cls(**{**known, "stop": Stop(stop) if stop else None})

    def to_json(self) -> dict[str, Any]:
        """Return it as the journal keeps it."""
        return asdict(self)
