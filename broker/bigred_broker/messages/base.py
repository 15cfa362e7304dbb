"""What all messages share: the version, the types of values, and presence."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bigred_broker.topics import ID_PATTERN

VERSION: Literal[1] = 1


def _encodable(value: object) -> object:
    # Half a character, as in a name from a system with another encoding, has no place in UTF-8. No
    # message must fail because of what somebody is called.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


Encodable = Annotated[str, BeforeValidator(_encodable)]
Id = Annotated[str, Field(pattern=ID_PATTERN)]
Text = Annotated[Encodable, Field(max_length=500)]
# Whole numbers that JavaScript and every database can hold, and finite amounts.
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Status(StrEnum):
    """Whether a box or the server is online. A bare word, not JSON, as Home Assistant expects."""

    ONLINE = "online"
    OFFLINE = "offline"


class Part(BaseModel):
    """The base of every object in a message.

    Its schema is built when the first one is made or read: a command makes few kinds or none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Message(Part):
    """The base of every message."""

    v: Literal[1] = VERSION


def build_schemas() -> None:
    """Build the schemas of all messages, where the first message must not wait for its own."""
    for kind in (*Part.__subclasses__(), *Message.__subclasses__()):
        kind.model_rebuild()
