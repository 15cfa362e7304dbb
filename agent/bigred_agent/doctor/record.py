"""Findings as JSON: printed, kept in a file, and read again."""

import json
from collections.abc import Sequence
from pathlib import Path

from bigred_agent.doctor.finding import Finding


def as_json(findings: Sequence[Finding]) -> str:
    """Give findings for programs."""
    rows = [
        {
            "subject": finding.subject,
            "ok": finding.is_well,
            "seen": finding.seen,
            "mend": finding.mend,
        }
        for finding in findings
    ]
    return json.dumps({"ok": all(row["ok"] for row in rows), "findings": rows}, indent=2)


def save(file: Path, findings: Sequence[Finding]) -> None:
    """Keep findings in a file, for `load`; whoever reads it meanwhile sees the old ones."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(as_json(findings), encoding="utf-8")
    new.replace(file)


def load(file: Path) -> list[Finding]:
    """Read findings that were written as JSON; none where there are none to be read."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["findings"]
        return [Finding(row["subject"], row["seen"], row["mend"]) for row in rows]
    except (OSError, ValueError, KeyError):
        return []
