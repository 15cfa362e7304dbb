"""The settings `[apps.NAME.marker]`: how the running app proves which release it is."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator

from bigred_broker.settings import Section

Path_ = Annotated[str, Field(pattern=r"^/")]


class MarkerSource(StrEnum):
    """Where the server reads the release of the running app."""

    HEADER = "header"
    BODY = "body"
    MANIFEST = "manifest"


class MarkerSettings(Section):
    """The table `[apps.NAME.marker]`."""

    path: Path_
    status: Annotated[int, Field(ge=100, le=599)] = 200
    read: MarkerSource = MarkerSource.HEADER
    name: str = "X-Release"
    pattern: str = ""
    expects: Literal["version", "commit", "digest"] = "version"

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"not a valid regular expression: {error}") from error
        if pattern and groups != 1:
            raise ValueError("needs exactly one group, which captures the release")
        return pattern
