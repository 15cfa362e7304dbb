"""The files to write so that a machine becomes the box that the card describes. Pure."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from bigred_agent.card.secrets import toml
from bigred_agent.card.settings import CardSettings, WifiSettings

CONFIG = PurePosixPath("etc/bigred/agent.toml")
_PEMS = PurePosixPath("etc/bigred")
_IWD = PurePosixPath("var/lib/iwd")
_IWD_MAIN = PurePosixPath("etc/iwd/main.conf")
# The voice and rate of each language. Of ten voices at three rates, this was the only one in which
# a recogniser (pocketsphinx, given all sentences) understood each of 17 sentences every time. With
# espeak-ng's default English voice at 160 words per minute it understood 6 of 21.
VOICES = {"en": ("en-us+klatt4", 150)}
# iwd.network(5): a name of only these characters is the file's name; others are written in hex.
_PLAIN_SSID = frozenset(string.ascii_letters + string.digits + "-_ ")


@dataclass(frozen=True)
class PlannedFile:
    """A file to write: its path below the root, its permissions, and its group."""

    path: PurePosixPath
    content: str
    mode: int = 0o600
    group: str = "root"


def files(
    settings: CardSettings, pems: Mapping[str, str], iwd_main: str, group: str
) -> list[PlannedFile]:
    """List the files of a box.

    `pems`: the texts of ca, certificate and key, if configured; `iwd_main`: the current
    configuration of iwd; `group`: the agent's.
    """
    planned = [
        PlannedFile(CONFIG, agent_toml(settings), 0o640, group),
        *(PlannedFile(_PEMS / f"{key}.pem", text, 0o640, group) for key, text in pems.items()),
        PlannedFile(PurePosixPath("etc/hostname"), f"{settings.name}\n", 0o644),
    ]
    if settings.ssh_key:
        keys = PurePosixPath("root/.ssh/authorized_keys")
        planned.append(PlannedFile(keys, f"{settings.ssh_key}\n"))
    if settings.wifi is not None:
        planned.append(wifi(settings.wifi))
        planned.append(PlannedFile(_IWD_MAIN, _with_country(iwd_main, settings.wifi.country)))
    return planned


def agent_toml(settings: CardSettings) -> str:
    """Return the agent's configuration file."""
    voice, rate = VOICES[settings.language]
    broker = settings.agent_broker().model_dump(exclude={"tls"})
    tables: dict[str, object] = {
        "box": {"name": settings.name},
        "broker": broker,
        "voice": {
            "pack": settings.phrases,
            "voice": voice,
            "rate": rate,
            "volume": settings.volume,
        },
        "lights": settings.lights.model_dump(mode="json", exclude={"patterns"}, exclude_none=True),
    }
    text = toml(tables)
    if files := settings.broker.files:
        named = "\n".join(f'{key} = "/{_PEMS}/{key}.pem"' for key in files)
        text += f"\n[broker.tls]\n{named}\n"
    if patterns := settings.lights.patterns:
        steps = {one.value: [list(step) for step in every] for one, every in patterns.items()}
        text += "\n" + toml({"lights.patterns": steps})
    return text


def wifi(settings: WifiSettings) -> PlannedFile:
    """Return the file that describes a network to iwd."""
    ssid = settings.ssid
    plain = set(ssid) <= _PLAIN_SSID
    name = ssid if plain else f"={ssid.encode().hex()}"
    hidden = "[Settings]\nHidden=true\n" if settings.hidden else ""
    if not settings.password:
        return PlannedFile(_IWD / f"{name}.open", hidden)
    if settings.is_hex_key:
        return PlannedFile(
            _IWD / f"{name}.psk", f"[Security]\nPreSharedKey={settings.password}\n{hidden}"
        )
    password = settings.password.replace("\\", "\\\\")
    if password.startswith(" "):
        # iwd strips blanks before a value.
        password = f"\\s{password[1:]}"
    return PlannedFile(_IWD / f"{name}.psk", f"[Security]\nPassphrase={password}\n{hidden}")


def _with_country(main: str, country: str) -> str:
    kept = [line for line in main.splitlines() if not line.startswith("Country=")]
    if "[General]" not in kept:
        kept = ["[General]", *kept]
    kept.insert(kept.index("[General]") + 1, f"Country={country}")
    return "\n".join(kept) + "\n"
