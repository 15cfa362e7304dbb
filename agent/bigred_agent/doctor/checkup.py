"""The doctor's findings at the start of the box, updated when a missing part appears."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bigred_agent.doctor import record
from bigred_agent.doctor.finding import BUTTON, PRESENCE, SOUND_CARD, Finding

log = structlog.get_logger(__name__)

_BUTTON_CAME = Finding(PRESENCE, "found after the start")
_SOUND_CAME = Finding(SOUND_CARD, "found after the start")


@dataclass
class Checkup:
    """The findings; `file` is where they are saved as JSON for other programs, if possible."""

    findings: Sequence[Finding]
    file: Path

    def __post_init__(self) -> None:
        self._save()

    def button_found(self) -> None:
        """Record that the button answers now."""
        self._resolve(BUTTON, _BUTTON_CAME)

    def voice_found(self) -> None:
        """Record that there is a sound card now."""
        self._resolve((SOUND_CARD,), _SOUND_CAME)

    def _resolve(self, subjects: Collection[str], resolved: Finding) -> None:
        problems = [one for one in self.findings if one.subject in subjects and not one.is_ok]
        if not problems:
            return
        at = self.findings.index(problems[0])
        others = [one for one in self.findings if one not in problems]
        self.findings = [*others[:at], resolved, *others[at:]]
        self._save()

    def _save(self) -> None:
        # A report that can't be saved must not prevent the box from running.
        try:
            record.save(self.file, self.findings)
        except OSError as error:
            log.warning("findings not saved", file=str(self.file), reason=str(error))
