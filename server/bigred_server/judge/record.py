"""Conversion of evidence to and from the JSON that the journal stores."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any  # the journal keeps JSON

from pydantic import TypeAdapter, ValidationError

from bigred_server.judge import absolute, relative, series, sign
from bigred_server.judge.evidence import CUTS, EMPTY, Evidence

_READER = TypeAdapter(Evidence)


def to_json(evidence: Evidence) -> dict[str, Any]:
    """Return evidence as JSON."""
    return asdict(evidence)


def from_json(kept: Mapping[str, Any]) -> Evidence:
    """Read the result of `to_json`; return EMPTY if another version wrote it differently."""
    try:
        found = _READER.validate_python(dict(kept))
    except ValidationError:
        return EMPTY
    return found if _fits(found) else EMPTY


def _fits(found: Evidence) -> bool:
    """Return whether every e-process has as many components as in this version."""
    parts = [
        (found.error_logs, relative.START),
        (found.absolute_logs, absolute.START),
        (found.sign_logs, sign.START),
        *((logs, relative.START) for logs in found.tail_logs),
        *((logs, series.START) for logs in found.series_logs.values()),
    ]
    same = all(len(logs) == len(ours) for logs, ours in parts)
    return same and len(found.tail_logs) == len(CUTS)
