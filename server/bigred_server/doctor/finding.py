"""A finding: what was checked, what is wrong with it, and the fix."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How serious a finding is.

    OK: as it should be. WARN: deployments work, but something less common loses requests. BAD: a
    deployment fails or loses requests. UNKNOWN: can't be checked from here; check by hand.
    """

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """`code` names the check for programs, `where` the place for people; `fix` says what to do."""

    code: str
    level: Severity
    where: str
    text: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the finding under the keys that `bigred doctor --json` promises to programs."""
        return {
            "code": self.code,
            "level": self.level,
            "where": self.where,
            "text": self.text,
            "mend": self.fix,
        }


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Sort findings by severity: bad, warnings, unknown, ok."""
    order = [Severity.BAD, Severity.WARN, Severity.UNKNOWN, Severity.OK]
    return sorted(findings, key=lambda finding: order.index(finding.level))
