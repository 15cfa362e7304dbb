"""Cards that people filled in, as office computers and phones write them, and what is right."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bigred_agent.card.provisioning import Folders, provision
from bigred_agent.card.report import Report
from bigred_agent.card.settings import FILE

GOOD = """\
name = "office"
[broker]
host = "broker.lan"
[wifi]
ssid = "Büro"
password = "over the air"
country = "DE"
"""
HOST = 'host = "broker.lan"'
WIFI_KEY = '"over the air"'
MEANT: dict[str, object] = {
    "name": "office",
    "broker.host": "broker.lan",
    "wifi.ssid": "Büro",
    "wifi.password": "over the air",
    "wifi.country": "DE",
}
HEX = "0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789"


@dataclass(frozen=True)
class Card:
    """A file on a card. `meant`: values in its stored copy; or `said`: what the box complains."""

    title: str
    raw: bytes
    meant: Mapping[str, object] = field(default_factory=dict)
    said: str = ""
    name: str = FILE


def stored(folders: Folders) -> dict[str, object]:
    """Return the values that a box has stored, by dotted key."""
    tables = tomllib.loads((folders.store / FILE).read_text(encoding="utf-8"))
    flat = {key: value for key, value in tables.items() if not isinstance(value, dict)}
    for name, table in tables.items():
        if isinstance(table, dict):
            flat |= {f"{name}.{key}": value for key, value in table.items()}
    return flat


def provisioned(card: Card, folder: Path) -> tuple[Folders, Report]:
    """Configure a machine from a card, all its folders in `folder`."""
    folders = Folders(folder / "card", folder / "store", folder / "root")
    for one in (folders.card, folders.store, folders.root):
        one.mkdir(parents=True)
    (folders.card / card.name).write_bytes(card.raw)
    return folders, provision(folders)


def altered(old: str, new: str) -> str:
    """Return the text of the good card with something else in it."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)
