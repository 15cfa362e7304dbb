"""What a box keeps of its card: the whole configuration, with its secrets, for root alone."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # TOML's values

from bigred_agent.card import safe, secrets
from bigred_agent.card.settings import FILE


@dataclass(frozen=True)
class Keeping:
    """A folder of the data partition."""

    folder: Path

    @property
    def lasts(self) -> bool:
        """Whether it is still there after a power cut: on a partition of its own."""
        return any(parent.is_mount() for parent in self.folder.parents if parent != Path("/"))

    def told(self) -> dict[str, Any]:
        """Give what is kept, or nothing."""
        try:
            return tomllib.loads((self.folder / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def pem(self, key: str) -> str | None:
        """Give a kept PEM file."""
        try:
            return (self.folder / f"{key}.pem").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None

    def keep(self, told: dict[str, Any], pems: dict[str, str]) -> None:
        """Keep a configuration; nothing is written where it is kept already."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = {FILE: secrets.toml(told), **{f"{key}.pem": pem for key, pem in pems.items()}}
        for name, text in wanted.items():
            file = self.folder / name
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                safe.write(file, text)
