"""The judge's verdict on a release, as it is stored and passed on."""

from enum import StrEnum


class Verdict(StrEnum):
    """PASS: enough traffic, and nothing against the release. INCONCLUSIVE: too little traffic."""

    PASS = "pass"  # noqa: S105
    INCONCLUSIVE = "inconclusive"
    HOLD = "hold"
    ROLLBACK = "rollback"
