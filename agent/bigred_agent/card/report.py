"""The result of provisioning, saved for the status file and the voice."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bigred_agent.card.mistakes import Complaint

FOLDER = Path("/run/bigred")
REPORT = FOLDER / "card.json"
CONFIGURED = "There is a mistake in my settings."
UNCONFIGURED = "I am not configured."
ONE_MORE = "There is one more mistake."
MORE = "There are {count} more mistakes."
DETAILS = "The status file on my card has the details."


@dataclass(frozen=True)
class Report:
    """`configured`: whether the agent has a configuration. `problems`: errors to correct.

    `said`: the first of them as a sentence for the voice; `notes`: further information.
    """

    configured: bool
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    said: str = ""

    @classmethod
    def of(
        cls, *, configured: bool, complaints: Sequence[Complaint], notes: Sequence[str] = ()
    ) -> "Report":
        """Return the report of these complaints."""
        written = tuple(one.written for one in complaints)
        return cls(configured, written, tuple(notes), complaints[0].said if complaints else "")

    def spoken(self) -> str:
        """Return what the box says, "" if there is no problem."""
        if not self.said:
            return ""
        lead = CONFIGURED if self.configured else UNCONFIGURED
        more = len(self.problems) - 1
        others = ONE_MORE if more == 1 else MORE.format(count=more)
        return " ".join([lead, self.said, *([others] if more else []), DETAILS])

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
        problems, notes = tuple(saved["problems"]), tuple(saved["notes"])
        return cls(saved["configured"], problems, notes, saved["said"])
