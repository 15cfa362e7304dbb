"""`bigred-status.txt`: how the box finds itself, on the card, where any laptop can read it."""

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bigred_agent.about import model
from bigred_agent.card import safe
from bigred_agent.card.report import Report
from bigred_agent.doctor.finding import Finding
from bigred_agent.doctor.report import as_text

STATUS = "bigred-status.txt"
_DEADLINE_S = 10.0
_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")


def text(name: str, report: Report, findings: Sequence[Finding], now: datetime) -> str:
    """Write the status."""
    at = now.strftime("%Y-%m-%d %H:%M UTC")
    clock = at if _SYNCHRONIZED.exists() else f"{at} (this clock was never set)"
    lines = [
        f"Bigred box {name}, agent {metadata.version('bigred')}",
        f"{model()}, {addresses() or 'without an address in the network'}",
        f"written {clock}",
        "",
    ]
    if report.troubles:
        lines += ["bigred.toml must be mended:", *(f"  - {one}" for one in report.troubles), ""]
    if not report.configured:
        return _lines([*lines, "The box is not configured and does nothing else."])
    lines += [*(f"note: {one}" for one in report.notes), *([""] if report.notes else [])]
    return _lines([*lines, as_text(findings)])


def write(card: Path, told: str) -> bool:
    """Write the status on the card if it is another than there; say whether it was written.

    Raises OSError. When it was written does not make it another: a card does not live for ever.
    """
    file = card / STATUS
    before = file.read_bytes().decode("utf-8", "replace") if file.exists() else ""
    if _undated(before) == _undated(told):
        return False
    with safe.writable(card):
        safe.write(file, told)
    return True


def addresses() -> str:
    """List the addresses by which this box is reached."""
    try:
        done = subprocess.run(
            ["ip", "-json", "address", "show", "scope", "global"],
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=True,
        )
        links = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    found = [
        f"{link['ifname']} {address['local']}"
        for link in links
        for address in link.get("addr_info", [])
        if "local" in address
    ]
    return ", ".join(found)


def now() -> datetime:
    """Give the time of this box, which is right once it was set."""
    return datetime.now(UTC)


def _undated(told: str) -> list[str]:
    return [line for line in told.splitlines() if not line.startswith("written ")]


def _lines(lines: Sequence[str]) -> str:
    # With the line ends that every editor on every laptop shows.
    return "\r\n".join("\n".join(lines).splitlines()) + "\r\n"
