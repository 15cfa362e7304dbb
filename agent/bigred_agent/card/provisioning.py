"""Configures the machine from its card: at every start, as root, before the network and the agent.

The box stores what is on the card before it removes secrets from there, so that a power cut at any
moment loses nothing.
"""

import os
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_agent.card import contents, durable, files, plan, secrets
from bigred_agent.card.contents import CardContents, CardError
from bigred_agent.card.decoding import NotTextError
from bigred_agent.card.files import SettingsFile, TooLongError
from bigred_agent.card.mistakes import Complaint, Mistake
from bigred_agent.card.plan import PlannedFile
from bigred_agent.card.report import Report
from bigred_agent.card.settings import FILE
from bigred_agent.card.store import CardStore

GROUP = "bigred"
NO_FILE = Mistake.NO_FILE.at(file=FILE)
_FALLBACK = "the box uses its previous configuration"


@dataclass(frozen=True)
class Folders:
    """The folders in use; tests have their own."""

    card: Path = Path("/boot/firmware")
    store: Path = Path("/data/box")
    root: Path = Path("/")


def provision(folders: Folders) -> Report:
    """Configure this machine from its card, or else from the stored copy."""
    store = CardStore(folders.store)
    try:
        found = files.settings_file(folders.card)
        if found is None:
            return _fall_back(folders, store, [NO_FILE])
        card = contents.read(found.text, folders.card, store)
    except CardError as error:
        return _fall_back(folders, store, error.complaints)
    except NotTextError as error:
        return _fall_back(folders, store, [Mistake.NOT_TEXT.at(file=FILE, reason=error)])
    except TooLongError:
        return _fall_back(folders, store, [Mistake.TOO_LONG.at(file=FILE)])
    except OSError as error:
        return _fall_back(folders, store, [Mistake.UNREADABLE.at(file=FILE, reason=error)])
    _apply(folders, card)
    rivals = [Mistake.TWO_FILES.at(file=found.file.name, other=found.rival)] if found.rival else []
    notes = (*_name_of(found), *card.notes, *_move_secrets(folders, found.file, card, store))
    return Report.of(configured=True, complaints=rivals, notes=notes)


def _fall_back(folders: Folders, store: CardStore, complaints: Sequence[Complaint]) -> Report:
    """Use the stored configuration, if there is one."""
    tables = store.tables()
    try:
        previous = contents.read(secrets.toml(tables), folders.store, store) if tables else None
    except CardError:
        previous = None
    if previous is None:
        return Report.of(configured=False, complaints=complaints)
    _apply(folders, previous)
    return Report.of(configured=True, complaints=complaints, notes=(_FALLBACK,))


def _name_of(found: SettingsFile) -> list[str]:
    name = found.file.name
    return [] if name.casefold() == FILE else [f"the settings are read from {name}"]


def _apply(folders: Folders, card: CardContents) -> None:
    iwd_main = folders.root / "etc/iwd/main.conf"
    main = iwd_main.read_text(encoding="utf-8") if iwd_main.exists() else ""
    for planned in plan.files(card.settings, card.pems, main, GROUP):
        _write(folders.root, planned)
    if folders.root == Path("/"):
        socket.sethostname(card.settings.name)


def _write(root: Path, planned: PlannedFile) -> None:
    file = root / planned.path
    if not file.parent.exists():
        file.parent.mkdir(parents=True)
        # Whatever the umask: the agent reads below it as another user.
        file.parent.chmod(0o755 if planned.path.parts[0] == "etc" else 0o700)
    durable.write(file, planned.content, planned.mode)
    if planned.group != "root" and os.geteuid() == 0 and root == Path("/"):
        shutil.chown(file, group=planned.group)


def _move_secrets(folders: Folders, file: Path, card: CardContents, store: CardStore) -> list[str]:
    """Store the configuration, then remove its secrets from the card; return notes for people."""
    try:
        store.save(card.tables, card.pems)
    except OSError as error:
        return [f"the box can't store its configuration, so the secrets stay on the card: {error}"]
    if folders.root == Path("/") and not store.is_persistent:
        return ["the data partition is missing, so the secrets stay on the card"]
    redacted = secrets.redacted(card.text, card.tables)
    named = card.settings.broker.key
    key = files.named(folders.card, named) if named else None
    if redacted == card.text and key is None:
        return []
    try:
        with durable.writable(folders.card):
            if key is not None:
                durable.remove(key)
            if redacted != card.text:
                durable.write(file, redacted)
    except OSError as error:
        return [f"the secrets could not be removed from the card: {error}"]
    return ["the secrets were moved from the card into the box"]
