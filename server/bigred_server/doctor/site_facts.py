"""What a check-up knows about an app from the journal."""

from dataclasses import dataclass

from bigred_server.model.release import Release


@dataclass(frozen=True)
class SiteFacts:
    """What the journal knows about an app: its live release, the bytes of its largest one."""

    live: Release | None = None
    largest: int = 0
