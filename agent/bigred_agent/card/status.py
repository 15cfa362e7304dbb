"""`bigred-status.txt`: the status of the box, on the card, where any laptop can read it."""

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bigred_agent.about import model
from bigred_agent.card import durable
from bigred_agent.card.report import Report
from bigred_agent.doctor.finding import Finding
from bigred_agent.doctor.report import as_text

STATUS = "bigred-status.txt"
_DEADLINE_S = 10.0
_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")


def text(name: str, report: Report, findings: Sequence[Finding], now: datetime) -> str:
    """Return the status."""
    at = now.strftime("%Y-%m-%d %H:%M UTC")
    clock = at if _SYNCHRONIZED.exists() else f"{at} (the clock has never been set)"
    lines = [
        f"Bigred box {name}, agent {metadata.version('bigred')}",
        f"{model()}, {addresses() or 'no network address'}",
        f"written {clock}",
        "",
    ]
    if report.problems:
        lines += ["Problems in bigred.toml:", *(f"  - {one}" for one in report.problems), ""]
    if not report.configured:
        return _lines([*lines, "The box is not configured, so its agent does not run."])
    lines += [*(f"note: {one}" for one in report.notes), *([""] if report.notes else [])]
    return _lines([*lines, as_text(findings)])


def write(card: Path, text: str) -> bool:
    """Write the status to the card if it has changed; return whether it has.

    The date alone does not count as a change: cards wear out. Raises OSError.
    """
    file = card / STATUS
    before = file.read_bytes().decode("utf-8", "replace") if file.exists() else ""
    if _undated(before) == _undated(text):
        return False
    with durable.writable(card):
        durable.write(file, text)
    return True


def addresses() -> str:
    """List the network addresses of this box."""
    try:
        done = subprocess.run(
            ["ip", "-json", "address", "show", "scope", "global"],
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return addresses_in(done.stdout)


def addresses_in(listed: str) -> str:
    """Parse the JSON output of `ip address`."""
    try:
        links = json.loads(listed)
    except ValueError:
        return ""
    found = [
        f"{link['ifname']} {address['local']}"
        for link in links
        for address in link.get("addr_info", [])
        if "local" in address
    ]
    return ", ".join(found)


def now() -> datetime:
    """Return the time of this box, which is wrong until it has been set."""
    return datetime.now(UTC)


def _undated(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("written ")]


def _lines(lines: Sequence[str]) -> str:
    # With line ends that every editor displays correctly.
    return "\r\n".join("\n".join(lines).splitlines()) + "\r\n"
