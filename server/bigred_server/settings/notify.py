"""`[apps.NAME.notify.NAME]`: who is notified of which events, through apprise."""

from enum import StrEnum
from pathlib import Path

from pydantic import model_validator

from bigred_broker.settings import Section


class When(StrEnum):
    """An event that people can be notified of."""

    BUILD_FAILED = "build_failed"
    CANDIDATE = "candidate"
    STARTED = "started"
    HOLDING = "holding"
    ROLLING_BACK = "rolling_back"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    FAILED = "failed"


USUAL = (
    When.BUILD_FAILED,
    When.HOLDING,
    When.SUCCEEDED,
    When.ROLLED_BACK,
    When.ABORTED,
    When.FAILED,
)


class NotifySettings(Section):
    """`[apps.NAME.notify.NAME]`."""

    urls: tuple[str, ...] = ()
    urls_file: Path | None = None
    events: tuple[When, ...] = USUAL

    @model_validator(mode="after")
    def _has_a_recipient(self) -> "NotifySettings":
        if not self.urls and self.urls_file is None:
            raise ValueError("no recipient: set urls or urls_file")
        return self
