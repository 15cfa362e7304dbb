"""A finding: one thing that was looked at, how it stands, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How a thing stands.

    OK: as it should be. WARN: a deployment works, and something rarer loses requests. BAD: a
    deployment fails, or loses requests. UNKNOWN: it can't be seen from here; look by hand.
    """

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """`code` names the check for programs, `where` the thing for people; `mend` says what to do."""

    code: str
    level: Severity
    where: str
    text: str
    mend: str = ""


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Sort findings: bad, then warnings, then what could not be seen, then what is well."""
    order = [Severity.BAD, Severity.WARN, Severity.UNKNOWN, Severity.OK]
    return sorted(findings, key=lambda finding: order.index(finding.level))
