"""Reads and checks the certificates and keys that a card names."""

import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bigred_agent.card import files
from bigred_agent.card.decoding import NotTextError
from bigred_agent.card.files import TooLongError
from bigred_agent.card.mistakes import Complaint, Mistake
from bigred_agent.card.store import CardStore


@dataclass(frozen=True)
class PemFault:
    """What is wrong with the file of a key of `[broker]`."""

    key: str
    mistake: Mistake
    details: Mapping[str, object] = field(default_factory=dict)

    def at(self, line: int) -> Complaint:
        """Return the complaint about the line of the key."""
        return self.mistake.at(line, key=self.key, **self.details)


def read(
    names: Mapping[str, str], card: Path, store: CardStore
) -> tuple[dict[str, str], list[PemFault]]:
    """Return the texts of the named files, from the card or else the store, and what is wrong."""
    pems: dict[str, str] = {}
    faults = []
    for key, name in names.items():
        pem = _text(card, name) or store.pem(key)
        if pem is None:
            faults.append(PemFault(key, Mistake.NO_CARD_FILE, {"name": name}))
        else:
            pems[key] = pem
    return pems, faults or pem_problems(pems)


def pem_problems(pems: Mapping[str, str]) -> list[PemFault]:
    """List the problems that OpenSSL finds with ca, certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if "ca" in pems:
        try:
            context.load_verify_locations(cadata=pems["ca"])
        except (ssl.SSLError, ValueError) as error:
            return [PemFault("ca", Mistake.NOT_PEM, {"reason": error})]
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
            return [PemFault("certificate", Mistake.KEY_MISMATCH, {"reason": error})]
    return []


def _text(card: Path, name: str) -> str | None:
    try:
        found = files.named(card, name)
        return files.text_of(found) if found else None
    except (OSError, NotTextError, TooLongError):
        return None
