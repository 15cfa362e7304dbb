"""Timestamps as people and programs read them."""

from datetime import UTC, datetime


def utc(at: float) -> str:
    """Format Unix time as ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
