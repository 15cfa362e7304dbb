"""Findings as JSON: for printing, and in a file."""

import json
from collections.abc import Sequence
from pathlib import Path

from bigred_agent.doctor.finding import Finding


def as_json(findings: Sequence[Finding]) -> str:
    """Return findings as JSON, for programs."""
    rows = [
        {
            "subject": finding.subject,
            "ok": finding.is_ok,
            "seen": finding.seen,
            "mend": finding.fix,
        }
        for finding in findings
    ]
    return json.dumps({"ok": all(row["ok"] for row in rows), "findings": rows}, indent=2)


def save(file: Path, findings: Sequence[Finding]) -> None:
    """Save findings for `load`, replacing the file in one step."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(as_json(findings), encoding="utf-8")
    new.replace(file)


def load(file: Path) -> list[Finding]:
    """Load saved findings; none if the file is missing or invalid."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["findings"]
        return [Finding(row["subject"], row["seen"], row["mend"]) for row in rows]
    except (OSError, ValueError, KeyError):
        return []
