"""The address of a broker as people write it: with a port, as a URL, with a login. Pure."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote

from bigred_agent.card.mistakes import Mistake

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)\s*:\s*//+\s*(?P<rest>.*)")
_PLAIN = {"mqtt", "tcp"}
_ENCRYPTED = {"mqtts", "ssl", "tls"}
_WEB = {"http", "https"}
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
_NUMBERS = re.compile(r"[0-9.]+")
_WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*?)(?:\s*[:,]\s*|\s+(?=\d+$))(?P<port>[^:]*)")
_MOST_PORT = 65535


@dataclass(frozen=True)
class Address:
    """A host, and what else was written with it; `encrypted`: the scheme, if it asks for TLS."""

    host: str
    port: int | None = None
    username: str = ""
    password: str = ""
    encrypted: str = ""


class AddressError(ValueError):
    """The text is not the address of a broker; `details` are those of the mistake."""

    def __init__(self, mistake: Mistake, **details: object) -> None:
        super().__init__(mistake.name)
        self.mistake = mistake
        self.details = details


def address(text: str) -> Address:
    """Read an address; "" is an empty host. Raises AddressError, which repeats no password."""
    rest, scheme = text.strip().strip("<>").strip(), ""
    if url := _URL.fullmatch(rest):
        scheme, rest = url["scheme"].lower(), url["rest"]
    login, _, rest = rest.rpartition("@")
    place = re.split(r"[/?#]", rest, maxsplit=1)[0].strip()
    if scheme in _WEB:
        raise AddressError(Mistake.WEB_ADDRESS, host=f"{scheme}://{place}")
    if scheme and scheme not in _PLAIN | _ENCRYPTED:
        raise AddressError(Mistake.SCHEME, scheme=f"{scheme}://")
    host, port = _split(place)
    username, _, password = login.partition(":")
    return Address(
        _checked(host) if host or scheme else "",
        port,
        unquote(username),
        unquote(password),
        f"{scheme}://" if scheme in _ENCRYPTED else "",
    )


def _split(place: str) -> tuple[str, int | None]:
    found = _WITH_PORT.fullmatch(place)
    if not found:
        return place.strip("[]"), None
    host, port = found["host"].strip("[]").strip(), found["port"].strip()
    if not port:
        return host, None
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= _MOST_PORT:
        raise AddressError(Mistake.HOST_PORT, host=place)
    return host, int(port)


def _checked(host: str) -> str:
    if _NUMBERS.fullmatch(host):
        # As a printer shows it: 192.168.001.005.
        host = ".".join(part.lstrip("0") or part[:1] for part in host.split("."))
    elif _HOST.fullmatch(host):
        return host
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise AddressError(Mistake.HOST, host=host) from error
    return host
