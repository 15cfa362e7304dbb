"""What became of the card: kept for the status, and for the voice."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path("/run/bigred")
REPORT = FOLDER / "card.json"


@dataclass(frozen=True)
class Report:
    """`configured`: whether the agent has a configuration. `troubles`: what must be mended first.

    `notes`: what else there is to say.
    """

    configured: bool
    troubles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def spoken(self) -> str:
        """Say it as the box does, "" when there is nothing to say."""
        if not self.troubles:
            return ""
        lead = "My configuration has a mistake" if self.configured else "I am not configured"
        more = f" And {len(self.troubles) - 1} more." if len(self.troubles) > 1 else ""
        return f"{lead}: {self.troubles[0]}.{more} See bigred-status.txt on my card."

    def save(self, file: Path) -> None:
        """Keep it for the programs that come after."""
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whatever the umask: who speaks is not root.
        file.parent.chmod(0o755)
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")
        file.chmod(0o644)

    @classmethod
    def load(cls, file: Path) -> "Report":
        """Read it; a machine that is not made from a card has nothing to say."""
        if not file.exists():
            return cls(configured=True)
        told = json.loads(file.read_text(encoding="utf-8"))
        return cls(told["configured"], tuple(told["troubles"]), tuple(told["notes"]))
