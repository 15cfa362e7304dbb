"""A rule: a line that a configuration file should have, and the check for it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bigred_server.doctor.finding import Finding, Severity

Subject = TypeVar("Subject")
# The level and the text; and the fix, where it depends on what the file says.
RuleResult = tuple[Severity, str] | tuple[Severity, str, str]


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """`line` is what the file should say; `check` returns the level and text for what it says.

    `fix`: what to do where setting `line` is not the answer.
    """

    code: str
    line: str
    check: Callable[[Subject], RuleResult]
    fix: str = ""

    def finding(self, where: str, subject: Subject) -> Finding:
        """Check the parsed file."""
        level, text, *own = self.check(subject)
        fix = "" if level is Severity.OK else "".join(own) or self.fix or f"set: {self.line}"
        return Finding(self.code, level, where, text, fix)

    def by_hand(self, where: str, unread: str) -> Finding:
        """Return the finding for a file that can't be read; `unread` says why."""
        return Finding(self.code, Severity.UNKNOWN, where, unread, f"check by hand: {self.line}")
