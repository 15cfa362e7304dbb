"""The box's own copy of its card: the whole configuration with its secrets, readable by root."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # TOML's values

from bigred_agent.card import durable, secrets
from bigred_agent.card.settings import FILE


@dataclass(frozen=True)
class CardStore:
    """A folder on the data partition."""

    folder: Path

    @property
    def is_persistent(self) -> bool:
        """Whether it survives a power cut, because it is on a partition of its own."""
        return any(parent.is_mount() for parent in self.folder.parents if parent != Path("/"))

    def tables(self) -> dict[str, Any]:
        """Return the stored configuration, empty if there is none."""
        try:
            return tomllib.loads((self.folder / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def pem(self, key: str) -> str | None:
        """Return a stored PEM file."""
        try:
            return (self.folder / f"{key}.pem").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None

    def save(self, tables: dict[str, Any], pems: dict[str, str]) -> None:
        """Store a configuration; files that are the same already are not written again."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = {FILE: secrets.toml(tables), **{f"{key}.pem": pem for key, pem in pems.items()}}
        for name, text in wanted.items():
            file = self.folder / name
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                durable.write(file, text)
