"""The judge's verdict on a release, as it is stored and passed on."""

from enum import StrEnum


class Verdict(StrEnum):
    """PASS: nothing speaks against the release, and enough was seen. INCONCLUSIVE: too little."""

    PASS = "pass"  # noqa: S105
    INCONCLUSIVE = "inconclusive"
    HOLD = "hold"
    ROLLBACK = "rollback"
