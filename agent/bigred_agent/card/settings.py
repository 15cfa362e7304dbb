"""`bigred.toml`, which configures a whole box; the adjacent annotated file shows every key."""

import re
from importlib import resources
from pathlib import PurePath
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from bigred_agent.card.mistakes import Mistake
from bigred_agent.phrases import pack
from bigred_agent.settings import LightsSettings, VoiceSettings
from bigred_broker.settings import BrokerSettings, Port, Section
from bigred_broker.topics import DEFAULT_PREFIX, ID_PATTERN

FILE = "bigred.toml"
KEPT = "kept in the box"
"""The placeholder on the card for a secret that was moved into the box."""

_TLS_PORT = 8883
_PORT = 1883
_SSH_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-\S+|sk-\S+) [A-Za-z0-9+/=]+( [^\n\r]*)?")


def _is_file_name(name: str) -> str:
    if name and (PurePath(name).name != name or name.startswith(".")):
        raise Mistake.CARD_FILE.error(name=name)
    return name


CardFile = Annotated[str, AfterValidator(_is_file_name)]
_HEX_KEY = re.compile(r"[0-9A-Fa-f]{64}")


class WifiSettings(Section):
    """`[wifi]`."""

    ssid: str
    password: str = ""
    country: str
    hidden: bool = False

    @field_validator("ssid")
    @classmethod
    def _is_valid_ssid(cls, ssid: str) -> str:
        if not ssid:
            raise Mistake.EMPTY.error()
        if (count := len(ssid.encode())) > 32 or not ssid.isprintable():  # IEEE 802.11
            raise Mistake.SSID.error(count=count)
        return ssid

    @field_validator("password")
    @classmethod
    def _is_passphrase(cls, password: str) -> str:
        if not password or password == KEPT:
            return password
        if not all(" " <= char <= "~" for char in password):
            raise Mistake.WIFI_CHARACTERS.error()
        count = len(password)
        if count < 8:
            raise Mistake.WIFI_SHORT.error(count=count)
        if count > 63 and not _HEX_KEY.fullmatch(password):
            raise Mistake.WIFI_LONG.error(count=count)
        return password

    @field_validator("country")
    @classmethod
    def _is_country(cls, country: str) -> str:
        if not re.fullmatch("[A-Z]{2}", country):
            raise Mistake.COUNTRY.error()
        return country

    @property
    def is_hex_key(self) -> bool:
        """Whether the password is the network's key itself, as some routers print it."""
        return _HEX_KEY.fullmatch(self.password) is not None


class CardBrokerSettings(Section):
    """`[broker]`: as in the agent's own file, except that files are named on the card."""

    host: str
    port: Port | None = None
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = DEFAULT_PREFIX
    username: str = ""
    password: str = ""
    ca: CardFile = ""
    certificate: CardFile = ""
    key: CardFile = ""

    @field_validator("host")
    @classmethod
    def _is_filled_in(cls, host: str) -> str:
        if not host:
            raise Mistake.EMPTY.error()
        return host

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise Mistake.CERTIFICATE_PAIR.error()
        if self.certificate and not self.ca:
            raise Mistake.CERTIFICATE_CA.error()
        return self

    @property
    def files(self) -> dict[str, str]:
        """The named files on the card, by key."""
        named = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        return {key: name for key, name in named.items() if name}

    @property
    def actual_port(self) -> int:
        """The configured port, or the default one."""
        return self.port or (_TLS_PORT if self.ca else _PORT)


class CardSettings(Section):
    """The whole file."""

    name: Annotated[str, Field(pattern=ID_PATTERN)]
    language: str = "en"
    phrases: str = pack.DEFAULT_PACK
    volume: Annotated[float, Field(ge=0, le=1)] = VoiceSettings().volume
    ssh_key: str = ""
    broker: CardBrokerSettings
    wifi: WifiSettings | None = None
    lights: LightsSettings = LightsSettings()

    @field_validator("ssh_key")
    @classmethod
    def _is_public_key(cls, key: str) -> str:
        if "PRIVATE KEY" in key:
            raise Mistake.PRIVATE_KEY.error()
        if key and not _SSH_KEY.fullmatch(key.strip()):
            raise Mistake.PUBLIC_KEY.error()
        return key.strip()

    @model_validator(mode="after")
    def _language_has_phrases(self) -> Self:
        if self.phrases not in pack.names():
            available = ", ".join(pack.names())
            raise Mistake.PHRASES.error(phrases=self.phrases, available=available)
        spoken = pack.load(self.phrases).language
        if self.language != spoken:
            raise Mistake.LANGUAGE.error(phrases=self.phrases, spoken=spoken)
        return self

    def agent_broker(self) -> BrokerSettings:
        """Return the `[broker]` section of the agent's own file, without TLS."""
        same = self.broker.model_dump(include={"host", "prefix", "username", "password"})
        return BrokerSettings(**same, port=self.broker.actual_port)


def example() -> str:
    """Return the annotated file on a new card."""
    return resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8")
