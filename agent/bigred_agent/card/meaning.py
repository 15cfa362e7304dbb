"""What a person means with the values of a `bigred.toml`: an id, a host and its port. Pure."""

import copy
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any  # TOML's values

from bigred_agent.card.address import Address, AddressError, address
from bigred_agent.card.mistakes import Complaint, Mistake
from bigred_agent.card.vocabulary import KINDS, Key, Kind
from bigred_broker.topics import is_id

_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae"})
_APOSTROPHES = re.compile("['\u2019\u2018`\u00b4]")
# A phone writes them instead of what was typed, and no Wi-Fi password has them.
_TYPED = str.maketrans("\u2018\u2019\u201c\u201d\u201e", '\'\'"""')
_MOST_NAME = 32
_LANGUAGES = {"english": "en", "englisch": "en"}
# ISO 3166 has no UK.
_COUNTRIES = {"UK": "GB"}


@dataclass
class Meaning:
    """The tables as meant; `notes` say what was taken in another form, without secrets."""

    tables: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)


def meant(tables: Mapping[str, Any], line: Callable[[Key], int]) -> Meaning:
    """Return the tables as meant. `line` finds the line of a key."""
    meaning = Meaning(copy.deepcopy(dict(tables)))
    for (section, key), kind in KINDS.items():
        table = meaning.tables.get(section, {}) if section else meaning.tables
        if isinstance(table, dict) and isinstance(value := table.get(key), str):
            table[key] = value if kind is Kind.LITERAL else value.strip()
    _words(meaning.tables)
    _name(meaning, line(("", "name")))
    broker = meaning.tables.get("broker")
    if isinstance(broker, dict) and isinstance(broker.get("host"), str):
        _host(meaning, broker, line)
    return meaning


def id_of(name: str) -> str:
    """Return the id for a name: `Kitchen Box` is kitchen-box; "" if it has no letter or digit."""
    lower = _APOSTROPHES.sub("", unicodedata.normalize("NFC", name).casefold())
    latin = unicodedata.normalize("NFKD", lower.translate(_LETTERS))
    plain = "".join(sign for sign in latin if not unicodedata.combining(sign))
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")


def _words(tables: dict[str, Any]) -> None:
    """Write the words of a fixed choice as the choice has them."""
    for key in ("language", "phrases"):
        if isinstance(tables.get(key), str):
            tables[key] = tables[key].casefold()
    if isinstance(tables.get("language"), str):
        first = re.split("[-_ ]", tables["language"], maxsplit=1)[0]
        tables["language"] = _LANGUAGES.get(first, first)
    wifi = tables.get("wifi")
    if isinstance(wifi, dict) and isinstance(wifi.get("country"), str):
        country = wifi["country"].upper()
        wifi["country"] = _COUNTRIES.get(country, country)
    if isinstance(wifi, dict) and isinstance(wifi.get("password"), str):
        wifi["password"] = wifi["password"].translate(_TYPED)


def _name(meaning: Meaning, line: int) -> None:
    name = meaning.tables.get("name")
    if not isinstance(name, str) or is_id(name):
        return
    made = id_of(name)
    if not name:
        meaning.complaints.append(Mistake.EMPTY.at(line, thing="name of the box", key="name"))
    elif not made:
        meaning.complaints.append(Mistake.NAME_LETTERS.at(line))
    elif len(made) > _MOST_NAME:
        meaning.complaints.append(Mistake.NAME_TOO_LONG.at(line, name=made))
    else:
        meaning.tables["name"] = made
        meaning.notes.append(f"the name {name!r} of the box becomes {made!r}")


def _host(meaning: Meaning, broker: dict[str, Any], line: Callable[[Key], int]) -> None:
    at = line(("broker", "host"))
    try:
        found = address(broker["host"])
    except AddressError as error:
        meaning.complaints.append(error.mistake.at(at, **error.details))
        return
    meaning.complaints += [
        mistake.at(at, **details) for mistake, details in _conflicts(found, broker)
    ]
    inside = {"port": found.port, "username": found.username, "password": found.password}
    split = {key: value for key, value in inside.items() if value}
    if not meaning.complaints and (split or found.host != broker["host"]):
        known = ", ".join(f"{key} {value}" for key, value in split.items() if key == "port")
        more = " and its login" if found.username else ""
        meaning.notes.append(
            f"the address of the broker is read as host {found.host}"
            + (f", {known}" if known else "")
            + more
        )
    broker |= {"host": found.host, **split}


def _conflicts(found: Address, broker: dict[str, Any]) -> list[tuple[Mistake, dict[str, object]]]:
    conflicts: list[tuple[Mistake, dict[str, object]]] = []
    if found.port and broker.get("port", found.port) != found.port:
        ports = {"inside": found.port, "outside": broker["port"]}
        conflicts.append((Mistake.TWO_PORTS, ports))
    for key, value in (("username", found.username), ("password", found.password)):
        if value and broker.get(key) not in (None, "", value):
            conflicts.append((Mistake.TWO_LOGINS, {}))
            break
    if found.encrypted and not broker.get("ca"):
        conflicts.append((Mistake.NEEDS_CA, {"scheme": found.encrypted}))
    return conflicts
