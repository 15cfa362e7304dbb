"""What the doctor found when the box started, kept up with what came since."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bigred_agent.doctor import record
from bigred_agent.doctor.finding import BUTTON, PRESENCE, SOUND_CARD, Finding

log = structlog.get_logger(__name__)

_BUTTON_CAME = Finding(PRESENCE, "it came after the box had started")
_SOUND_CAME = Finding(SOUND_CARD, "it came after the box had started")


@dataclass
class Checkup:
    """The findings of a start; `file` is where they are kept for others, as JSON, if it can be."""

    findings: Sequence[Finding]
    file: Path

    def __post_init__(self) -> None:
        self._save()

    def button_is_there(self) -> None:
        """Take note that the button answers."""
        self._mended(BUTTON, _BUTTON_CAME)

    def voice_is_there(self) -> None:
        """Take note that there is something to be heard from."""
        self._mended((SOUND_CARD,), _SOUND_CAME)

    def _mended(self, subjects: Collection[str], came: Finding) -> None:
        ill = [one for one in self.findings if one.subject in subjects and not one.is_well]
        if not ill:
            return
        at = self.findings.index(ill[0])
        kept = [one for one in self.findings if one not in ill]
        self.findings = [*kept[:at], came, *kept[at:]]
        self._save()

    def _save(self) -> None:
        # Nothing that only tells how the box is keeps it from being one.
        try:
            record.save(self.file, self.findings)
        except OSError as error:
            log.warning("what the doctor found is not kept", file=str(self.file), reason=str(error))
