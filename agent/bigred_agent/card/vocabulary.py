"""The words of `bigred.toml`: its headings, its keys, what each key holds, and how it is called."""

import re
from enum import Enum, auto


class Kind(Enum):
    """What a key holds. LITERAL: a text whose every character counts."""

    TEXT = auto()
    LITERAL = auto()
    NUMBER = auto()
    FLAG = auto()
    PINS = auto()


Key = tuple[str, str]
"""A heading ("" for none) and a key below it."""

KINDS: dict[Key, Kind] = {
    ("", "name"): Kind.TEXT,
    ("", "language"): Kind.TEXT,
    ("", "phrases"): Kind.TEXT,
    ("", "volume"): Kind.NUMBER,
    ("", "ssh_key"): Kind.TEXT,
    ("broker", "host"): Kind.TEXT,
    ("broker", "port"): Kind.NUMBER,
    ("broker", "prefix"): Kind.TEXT,
    ("broker", "username"): Kind.LITERAL,
    ("broker", "password"): Kind.LITERAL,
    ("broker", "ca"): Kind.TEXT,
    ("broker", "certificate"): Kind.TEXT,
    ("broker", "key"): Kind.TEXT,
    ("wifi", "ssid"): Kind.LITERAL,
    ("wifi", "password"): Kind.LITERAL,
    ("wifi", "country"): Kind.TEXT,
    ("wifi", "hidden"): Kind.FLAG,
    ("lights", "enabled"): Kind.FLAG,
    ("lights", "rgb_pins"): Kind.PINS,
    ("lights", "bar_pins"): Kind.PINS,
    ("lights", "active_high"): Kind.FLAG,
    ("lights", "chip"): Kind.TEXT,
}
HEADINGS = ("broker", "wifi", "lights")
_OTHER_WORDS = {"wlan": "wifi", "mqtt": "broker", "mqttbroker": "broker"}
# As espeak-ng pronounces them well.
SPOKEN_HEADINGS = {"broker": "broker", "wifi": "wifi", "lights": "lights"}
_SPOKEN = {
    ("", "name"): "name of the box",
    ("", "ssh_key"): "public key",
    ("broker", "host"): "address of the broker",
    ("broker", "username"): "user of the broker",
    ("broker", "password"): "password of the broker",
    ("broker", "ca"): "file of the authority",
    ("broker", "key"): "file of the key",
    ("wifi", "ssid"): "name of the network",
    ("wifi", "password"): "password of the network",
    ("lights", "rgb_pins"): "pins",
    ("lights", "bar_pins"): "pins",
}


def spoken(key: Key) -> str:
    """Return how a key is called in a sentence."""
    known = key if key in KINDS else ("", "")
    return _SPOKEN.get(known, known[1] or "value")


def heading(text: str) -> str | None:
    """Return the heading that somebody means: `Wi-Fi` is wifi."""
    plain = _plain(text)
    return next((one for one in HEADINGS if one == _OTHER_WORDS.get(plain, plain)), None)


def keys_like(text: str) -> list[Key]:
    """List the keys that somebody means, under any heading: `SSH-Key` is ssh_key."""
    return [key for key in KINDS if _plain(key[1]) == _plain(text)]


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]", "", text).casefold()
