"""The result of provisioning, saved for the status file and the voice."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path("/run/bigred")
REPORT = FOLDER / "card.json"


@dataclass(frozen=True)
class Report:
    """`configured`: whether the agent has a configuration. `problems`: errors to correct.

    `notes`: further information.
    """

    configured: bool
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def spoken(self) -> str:
        """Return what the box says, "" if there is no problem."""
        if not self.problems:
            return ""
        lead = "My configuration has a mistake" if self.configured else "I am not configured"
        more = f" And {len(self.problems) - 1} more." if len(self.problems) > 1 else ""
        return f"{lead}: {self.problems[0]}.{more} See bigred-status.txt on my card."

    def save(self, file: Path) -> None:
        """Save it for the programs that run later."""
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whatever the umask: the program that speaks does not run as root.
        file.parent.chmod(0o755)
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")
        file.chmod(0o644)

    @classmethod
    def load(cls, file: Path) -> "Report":
        """Load it; a machine that was not configured from a card has no problems."""
        if not file.exists():
            return cls(configured=True)
        saved = json.loads(file.read_text(encoding="utf-8"))
        return cls(saved["configured"], tuple(saved["problems"]), tuple(saved["notes"]))
