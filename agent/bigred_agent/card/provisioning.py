"""Configures the machine from its card: at every start, as root, before the network and the agent.

The box stores what is on the card before it removes secrets from there, so that a power cut at any
moment loses nothing.
"""

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from bigred_agent.card import contents, durable, plan, secrets
from bigred_agent.card.contents import CardContents, CardError
from bigred_agent.card.plan import PlannedFile
from bigred_agent.card.report import Report
from bigred_agent.card.settings import FILE
from bigred_agent.card.store import CardStore

GROUP = "bigred"
NO_FILE = f"there is no {FILE} on my card; copy the original one there, and fill it in"
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
        text = contents.text_of(folders.card / FILE)
    except FileNotFoundError:
        return _fall_back(folders, store, [NO_FILE])
    except (OSError, ValueError) as error:
        return _fall_back(folders, store, [f"{FILE} can't be read: {error}"])
    try:
        card = contents.read(text, folders.card, store)
    except CardError as error:
        return _fall_back(folders, store, list(error.problems))
    _apply(folders, card)
    return Report(configured=True, notes=tuple(_move_secrets(folders, text, card, store)))


def _fall_back(folders: Folders, store: CardStore, problems: list[str]) -> Report:
    """Use the stored configuration, if there is one."""
    tables = store.tables()
    try:
        previous = contents.read(secrets.toml(tables), folders.store, store) if tables else None
    except CardError:
        previous = None
    if previous is None:
        return Report(configured=False, problems=tuple(problems))
    _apply(folders, previous)
    return Report(configured=True, problems=tuple(problems), notes=(_FALLBACK,))


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


def _move_secrets(folders: Folders, text: str, card: CardContents, store: CardStore) -> list[str]:
    """Store the configuration, then remove its secrets from the card; return notes for people."""
    try:
        store.save(card.tables, card.pems)
    except OSError as error:
        return [f"the box can't store its configuration, so the secrets stay on the card: {error}"]
    if folders.root == Path("/") and not store.is_persistent:
        return ["the data partition is missing, so the secrets stay on the card"]
    redacted = secrets.redacted(text)
    key = folders.card / card.settings.broker.key if card.settings.broker.key else None
    if redacted == text and (key is None or not key.exists()):
        return []
    try:
        with durable.writable(folders.card):
            if key is not None:
                durable.remove(key)
            if redacted != text:
                durable.write(folders.card / FILE, redacted)
    except OSError as error:
        return [f"the secrets could not be removed from the card: {error}"]
    return ["the secrets were moved from the card into the box"]
