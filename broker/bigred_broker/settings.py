"""The `[broker]` section, the same in the configuration of the box and of the server."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bigred_broker.topics import DEFAULT_PREFIX

LogFormat = Literal["console", "json"]
Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A section of a configuration file: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsSettings(Section):
    """`[broker.tls]`: the authority to trust, and our own certificate. Paths of PEM files."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None


def _user_name(text: str) -> str:
    # Mosquitto's ACL puts the name in place of %u, and reads its files by lines and words.
    if any(char in "#+/%" or char.isspace() or not char.isprintable() for char in text):
        raise ValueError(f"{text!a} can't have a blank, a control character, or # + / %")
    return text


class BrokerSettings(Section):
    """`[broker]`: where the MQTT broker is."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Port = 1883
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = DEFAULT_PREFIX
    username: Annotated[str, AfterValidator(_user_name)] = ""
    password: str = ""
    tls: TlsSettings | None = None
