"""Reads and checks what is on the card: `bigred.toml`, and the certificates it names."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # TOML's values

from bigred_agent.card import pems, secrets
from bigred_agent.card.complaints import invalid
from bigred_agent.card.meaning import meant
from bigred_agent.card.mistakes import Complaint, Mistake
from bigred_agent.card.repair import repaired
from bigred_agent.card.settings import CardSettings
from bigred_agent.card.store import CardStore
from bigred_broker.config import line_of


@dataclass(frozen=True)
class CardContents:
    """A valid card, with its secrets.

    `text`: the file as valid TOML; `tables`: the same as meant, for the store; `notes`: what was
    taken in another form than written.
    """

    settings: CardSettings
    text: str
    tables: dict[str, Any]
    pems: dict[str, str]
    notes: tuple[str, ...] = ()


class CardError(ValueError):
    """The card is not valid."""

    def __init__(self, complaints: list[Complaint]) -> None:
        super().__init__("; ".join(one.written for one in complaints))
        self.complaints = tuple(complaints)


def read(text: str, card: Path, store: CardStore) -> CardContents:
    """Check the text of a `bigred.toml`, with secrets from the store. Raises CardError."""
    repair = repaired(text)
    if repair.complaints:
        raise CardError(repair.complaints)
    text = repair.text
    meaning = meant(_toml(text), lambda key: line_of(text, tuple(filter(None, key))))
    tables, missing = secrets.complete(meaning.tables, store.tables())
    complaints = meaning.complaints or invalid(text, tables)
    complaints += [Mistake.NOT_STORED.at(line_of(text, key), key=".".join(key)) for key in missing]
    if complaints:
        raise CardError(complaints)
    settings = CardSettings.model_validate(tables)
    found, faults = pems.read(settings.broker.files, card, store)
    if faults:
        raise CardError([fault.at(line_of(text, ("broker", fault.key))) for fault in faults])
    return CardContents(settings, text, tables, found, (*repair.notes, *meaning.notes))


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # "Expected '=' after a key in a key/value pair (at line 3, column 6)"
        at = re.search(r"\(at line (\d+)", str(error))
        line = int(at[1]) if at else len(text.splitlines())
        raise CardError([Mistake.NOT_UNDERSTOOD.at(line, reason=f"TOML: {error}")]) from error
