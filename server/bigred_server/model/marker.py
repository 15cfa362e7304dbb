"""The settings `[apps.NAME.marker]`: how the running app proves which release it is.

Each release is recorded with the settings under which it was submitted, so that a later change of
the configuration never makes it unrecognisable.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from bigred_broker.settings import Section

CONTEXT = "{context}"


def _path(text: str) -> str:
    if "://" in text:
        raise ValueError(f"{text!r} is an address; write only the path in it, such as '/health'")
    if not text.startswith("/"):
        raise ValueError(f"{text!r} does not begin with a slash; write '/{text}'")
    return text


def _path_in_context(text: str) -> str:
    _path(text.removeprefix(CONTEXT))
    return text


def _pointer(text: str) -> str:
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} is not a JSON Pointer; write '/{text.replace('.', '/')}'")
    return text


Path_ = Annotated[str, AfterValidator(_path)]
Status = Annotated[int, Field(ge=100, le=599)]
Pointer = Annotated[str, AfterValidator(_pointer)]

# The first page of an app may also send its users on to another one, such as a login.
_FIRST_PAGE = {"path": f"{CONTEXT}/", "status": [200, 301, 302, 303, 307, 308]}
_PRESETS: Mapping[str, Mapping[str, object]] = {
    "spring": {
        "path": f"{CONTEXT}/actuator/info",
        "read": "json",
        "pointer": "/build/version",
    },
    "manifest": {**_FIRST_PAGE, "read": "manifest", "name": "Implementation-Version"},
    "header": {**_FIRST_PAGE, "read": "header"},
}
_HEADER = re.compile(r"header:([!#$%&'*+.^_`|~0-9A-Za-z-]+)")


class MarkerSource(StrEnum):
    """Where the server reads the release of the running app."""

    HEADER = "header"
    BODY = "body"
    JSON = "json"
    MANIFEST = "manifest"


class MarkerSettings(Section):
    """The table `[apps.NAME.marker]`."""

    path: Annotated[str, AfterValidator(_path_in_context)]
    status: Status | Annotated[tuple[Status, ...], Field(min_length=1)] = 200
    read: MarkerSource = MarkerSource.HEADER
    name: str = "X-Release"
    pattern: str = ""
    pointer: Pointer = ""
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

    @property
    def statuses(self) -> tuple[int, ...]:
        """The statuses of a correct answer."""
        return (self.status,) if isinstance(self.status, int) else self.status

    @property
    def place(self) -> str:
        """Where the release is read, in words."""
        return {
            MarkerSource.HEADER: f"the header {self.name} of {self.path}",
            MarkerSource.BODY: f"the body of {self.path}",
            MarkerSource.JSON: f"{self.pointer or 'the value'} in the JSON of {self.path}",
            MarkerSource.MANIFEST: f"{self.name} in META-INF/MANIFEST.MF of the WAR",
        }[self.read]

    def at(self, context: str) -> "MarkerSettings":
        """Return these settings for the app at a context path, "" for the root."""
        return self.model_copy(update={"path": self.path.replace(CONTEXT, context, 1)})

    def expected(self, version: str, commit: str, digest: str) -> str:
        """Return what a running release answers; "" if that is not known of it."""
        return {"version": version, "commit": commit, "digest": digest}[self.expects]


def preset(marker: object) -> object:
    """Turn the name of a preset into its table; leave anything else as it is."""
    if not isinstance(marker, str):
        return marker
    if found := _HEADER.fullmatch(marker):
        return {**_PRESETS["header"], "name": found[1]}
    if marker not in _PRESETS:
        known = ", ".join(repr(name) for name in _PRESETS)
        raise ValueError(
            f"no preset {marker!r}; write one of {known}, 'header:NAME' for a header of your own, "
            "or the table `marker`"
        )
    return _PRESETS[marker]


MarkerOrPreset = Annotated[MarkerSettings, BeforeValidator(preset)]
