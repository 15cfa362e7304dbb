"""Reads and checks what is on the card: `bigred.toml`, and the certificates it names."""

import re
import ssl
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # TOML's values

from bigred_agent.card import secrets
from bigred_agent.card.settings import FILE, CardSettings
from bigred_agent.card.store import CardStore
from bigred_broker.config import ConfigError, parse

_MOST_CHARACTERS = 1 << 16


@dataclass(frozen=True)
class CardContents:
    """A valid card, with its secrets. `tables`: the same as TOML, for the store."""

    settings: CardSettings
    tables: dict[str, Any]
    pems: dict[str, str]


class CardError(ValueError):
    """The card is not valid; each text is one problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def read(text: str, card: Path, store: CardStore) -> CardContents:
    """Check the text of a `bigred.toml`, with secrets from the store. Raises CardError."""
    settings = _parse(text)
    tables, missing = secrets.complete(tomllib.loads(text), store.tables())
    if missing:
        raise CardError(missing)
    pems, problems = {}, []
    for key, name in settings.broker.files.items():
        pem = _pem(card / name) or store.pem(key)
        if pem is None:
            problems.append(f"broker.{key}: there is no {name} on the card")
        else:
            pems[key] = pem
    if problems or (problems := pem_problems(pems)):
        raise CardError(problems)
    return CardContents(CardSettings.model_validate(tables), tables, pems)


def pem_problems(pems: Mapping[str, str]) -> list[str]:
    """List the problems that OpenSSL finds with ca, certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if "ca" in pems:
        try:
            context.load_verify_locations(cadata=pems["ca"])
        except (ssl.SSLError, ValueError) as error:
            return [f"broker.ca is not a certificate in PEM format: {error}"]
    if "certificate" not in pems:
        return []
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate"), Path(folder, "key")
        for file in (certificate, key):
            file.write_text(pems[file.name], encoding="utf-8")
        try:
            # A key with a password would otherwise ask for it at the terminal.
            context.load_cert_chain(certificate, key, password=lambda: "")
        except (ssl.SSLError, ValueError) as error:
            return [f"broker.certificate and broker.key do not belong together: {error}"]
    return []


def text_of(file: Path) -> str:
    """Read a text file. Raises OSError or ValueError if it is missing, no text, or too long."""
    with file.open(encoding="utf-8-sig", newline="") as source:
        text = source.read(_MOST_CHARACTERS)
    if len(text) == _MOST_CHARACTERS:
        raise ValueError("it is too long for a configuration")
    return text


def _parse(text: str) -> CardSettings:
    try:
        return parse(text, CardSettings, FILE)
    except ConfigError as error:
        # The box speaks them: "line 3: ...", or a problem of the whole file.
        lines = [
            re.sub(rf"^{FILE}:(\d+): ", r"line \1: ", line) for line in str(error).splitlines()
        ]
        raise CardError([line.removeprefix(f"{FILE}: ") for line in lines]) from error


def _pem(file: Path) -> str | None:
    try:
        return text_of(file)
    except (OSError, ValueError):
        return None
