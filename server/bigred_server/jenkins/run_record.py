"""The trail of a run: what the journal keeps of it, so that any server can go on following it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any  # the journal keeps it as JSON


class Stop(StrEnum):
    """How a build is stopped, ever harder; those after the first are for Pipelines alone."""

    STOP = "stop"
    TERM = "term"
    KILL = "kill"


@dataclass(frozen=True)
class RunRecord:
    """Where a run is in Jenkins; times are seconds of Unix time.

    `asked_at`: when Jenkins was to be asked for it, written before it was asked. `item`: in the
    queue. `build`: its number. `began_at`: when the build began. `stop`: how it was stopped last,
    `stopped_at` when, `why` it was if not for a command.
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
        """Read what the journal kept; what a newer Bigred wrote besides is left."""
        known = {name: kept[name] for name in cls.__dataclass_fields__ if name in kept}
        stop = known.get("stop")
        return cls(**{**known, "stop": Stop(stop) if stop else None})

    def to_json(self) -> dict[str, Any]:
        """Give what the journal keeps."""
        return asdict(self)
