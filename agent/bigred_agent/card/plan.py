"""What is to be written where, so that a machine becomes the box that the card describes. Pure."""

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
# The voice and the pace of each language: of ten voices at three paces the only one in which a
# recogniser (pocketsphinx, told all sentences) understood each of 17 sentences every time. In
# espeak-ng's own English at 160 words a minute it understood 6 of 21.
VOICES = {"en": ("en-us+klatt4", 150)}
# iwd.network(5): a name of nothing but these is the file's name; any other is written in hex.
_PLAIN_SSID = frozenset(string.ascii_letters + string.digits + "-_ ")


@dataclass(frozen=True)
class Wanted:
    """A file to be written: its path below the root, its permissions, and its group."""

    path: PurePosixPath
    content: str
    mode: int = 0o600
    group: str = "root"


def files(
    settings: CardSettings, pems: Mapping[str, str], iwd_main: str, group: str
) -> list[Wanted]:
    """List the files of a box.

    `pems`: the texts of ca, certificate and key, of those that are named; `iwd_main`: iwd's
    configuration as it is; `group`: the agent's.
    """
    wanted = [
        Wanted(CONFIG, agent_toml(settings), 0o640, group),
        *(Wanted(_PEMS / f"{key}.pem", text, 0o640, group) for key, text in pems.items()),
        Wanted(PurePosixPath("etc/hostname"), f"{settings.name}\n", 0o644),
    ]
    if settings.ssh_key:
        keys = PurePosixPath("root/.ssh/authorized_keys")
        wanted.append(Wanted(keys, f"{settings.ssh_key}\n"))
    if settings.wifi is not None:
        wanted.append(wifi(settings.wifi))
        wanted.append(Wanted(_IWD_MAIN, _with_country(iwd_main, settings.wifi.country)))
    return wanted


def agent_toml(settings: CardSettings) -> str:
    """Write the agent's own configuration."""
    voice, rate = VOICES[settings.language]
    broker = settings.of_broker().model_dump(exclude={"tls"})
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


def wifi(settings: WifiSettings) -> Wanted:
    """Write a network as iwd wants it."""
    ssid = settings.ssid
    plain = set(ssid) <= _PLAIN_SSID
    name = ssid if plain else f"={ssid.encode().hex()}"
    hidden = "[Settings]\nHidden=true\n" if settings.hidden else ""
    if not settings.password:
        return Wanted(_IWD / f"{name}.open", hidden)
    password = settings.password.replace("\\", "\\\\")
    if password.startswith(" "):
        # Blanks before a value are none of it, for iwd.
        password = f"\\s{password[1:]}"
    return Wanted(_IWD / f"{name}.psk", f"[Security]\nPassphrase={password}\n{hidden}")


def _with_country(main: str, country: str) -> str:
    kept = [line for line in main.splitlines() if not line.startswith("Country=")]
    if "[General]" not in kept:
        kept = ["[General]", *kept]
    kept.insert(kept.index("[General]") + 1, f"Country={country}")
    return "\n".join(kept) + "\n"
