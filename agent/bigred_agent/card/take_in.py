"""Takes the card in, at every start, before the network: as root, and the agent comes after it.

What the card tells is kept in the box before its secrets leave the card, so that a power cut at any
moment loses nothing.
"""

import os
import re
import shutil
import socket
import ssl
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # TOML's values

from bigred_agent.card import plan, safe, secrets
from bigred_agent.card.keeping import Keeping
from bigred_agent.card.plan import Wanted
from bigred_agent.card.report import Report
from bigred_agent.card.settings import FILE, CardSettings
from bigred_broker.config import ConfigError, parse

GROUP = "bigred"
NO_FILE = f"there is no {FILE} on my card; take the one that came with it, and fill it in"
_GOES_ON = "the box goes on as it was told before"
_MOST = 1 << 16


@dataclass(frozen=True)
class Places:
    """Where things are; other places in tests."""

    card: Path = Path("/boot/firmware")
    kept: Path = Path("/data/box")
    root: Path = Path("/")


@dataclass(frozen=True)
class Taken:
    """What the card says, checked and whole. `told`: as TOML, to be kept."""

    settings: CardSettings
    told: dict[str, Any]
    pems: dict[str, str]


class CardError(ValueError):
    """The card does not make a box; each text is one thing to mend."""

    def __init__(self, troubles: list[str]) -> None:
        super().__init__("; ".join(troubles))
        self.troubles = tuple(troubles)


def take_in(places: Places) -> Report:
    """Make this machine what the card says; what the card does not say, it stays."""
    keeping = Keeping(places.kept)
    try:
        text = _read(places.card / FILE)
    except FileNotFoundError:
        return _go_on(places, keeping, [NO_FILE])
    except (OSError, ValueError) as error:
        return _go_on(places, keeping, [f"{FILE} can't be read: {error}"])
    try:
        taken = understood(text, places.card, keeping)
    except CardError as error:
        return _go_on(places, keeping, list(error.troubles))
    _settle(places, taken)
    return Report(configured=True, notes=tuple(_put_away(places, text, taken, keeping)))


def understood(text: str, card: Path, keeping: Keeping) -> Taken:
    """Read a `bigred.toml` with what the box keeps of it. Raises CardError."""
    settings = _parsed(text)
    told, missing = secrets.completed(tomllib.loads(text), keeping.told())
    if missing:
        raise CardError(missing)
    pems, troubles = {}, []
    for key, name in settings.broker.files.items():
        pem = _pem(card / name) or keeping.pem(key)
        if pem is None:
            troubles.append(f"broker.{key}: there is no {name} on the card")
        else:
            pems[key] = pem
    if troubles or (troubles := pem_troubles(pems)):
        raise CardError(troubles)
    return Taken(CardSettings.model_validate(told), told, pems)


def pem_troubles(pems: Mapping[str, str]) -> list[str]:
    """Say what is wrong with ca, certificate and key, as OpenSSL finds it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if "ca" in pems:
        try:
            context.load_verify_locations(cadata=pems["ca"])
        except (ssl.SSLError, ValueError) as error:
            return [f"broker.ca is no certificate in PEM: {error}"]
    if "certificate" not in pems:
        return []
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate"), Path(folder, "key")
        for file in (certificate, key):
            file.write_text(pems[file.name], encoding="utf-8")
        try:
            # A key that wants a password would ask for it at the terminal.
            context.load_cert_chain(certificate, key, password=lambda: "")
        except (ssl.SSLError, ValueError) as error:
            return [f"broker.certificate and broker.key don't go together: {error}"]
    return []


def _parsed(text: str) -> CardSettings:
    try:
        return parse(text, CardSettings, FILE)
    except ConfigError as error:
        troubles = str(error).splitlines()
        # A sentence to be heard: "line 3: ...", or what is wrong with all of it.
        told = [re.sub(rf"^{FILE}:(\d+): ", r"line \1: ", line) for line in troubles]
        raise CardError([line.removeprefix(f"{FILE}: ") for line in told]) from error


def _go_on(places: Places, keeping: Keeping, troubles: list[str]) -> Report:
    """Do without the card, if it was told before what this box is."""
    told = keeping.told()
    try:
        before = understood(secrets.toml(told), places.kept, keeping) if told else None
    except CardError:
        before = None
    if before is None:
        return Report(configured=False, troubles=tuple(troubles))
    _settle(places, before)
    return Report(configured=True, troubles=tuple(troubles), notes=(_GOES_ON,))


def _settle(places: Places, taken: Taken) -> None:
    iwd_main = places.root / "etc/iwd/main.conf"
    main = iwd_main.read_text(encoding="utf-8") if iwd_main.exists() else ""
    for wanted in plan.files(taken.settings, taken.pems, main, GROUP):
        _put(places.root, wanted)
    if places.root == Path("/"):
        socket.sethostname(taken.settings.name)


def _put(root: Path, wanted: Wanted) -> None:
    file = root / wanted.path
    if not file.parent.exists():
        file.parent.mkdir(parents=True)
        # Whatever the umask: the agent comes by here as another user.
        file.parent.chmod(0o755 if wanted.path.parts[0] == "etc" else 0o700)
    safe.write(file, wanted.content, wanted.mode)
    if wanted.group != "root" and os.geteuid() == 0 and root == Path("/"):
        shutil.chown(file, group=wanted.group)


def _put_away(places: Places, text: str, taken: Taken, keeping: Keeping) -> list[str]:
    """Keep it in the box, then take the secrets off the card; give what could not be done."""
    try:
        keeping.keep(taken.told, taken.pems)
    except OSError as error:
        return [f"the box can't keep what the card says, so its secrets stay there: {error}"]
    if places.root == Path("/") and not keeping.lasts:
        return ["the data partition is not there, so the secrets stay on the card"]
    bare = secrets.without(text)
    key = places.card / taken.settings.broker.key if taken.settings.broker.key else None
    if bare == text and (key is None or not key.exists()):
        return []
    try:
        with safe.writable(places.card):
            if key is not None:
                safe.remove(key)
            if bare != text:
                safe.write(places.card / FILE, bare)
    except OSError as error:
        return [f"the secrets could not be taken off the card: {error}"]
    return ["the secrets were taken off the card and are kept in the box"]


def _read(file: Path) -> str:
    with file.open(encoding="utf-8-sig", newline="") as source:
        text = source.read(_MOST)
    if len(text) == _MOST:
        raise ValueError("it is too long to be a configuration")
    return text


def _pem(file: Path) -> str | None:
    try:
        return _read(file)
    except (OSError, ValueError):
        return None
