"""Says which configuration file was read."""

from pathlib import Path

from bigred_agent.doctor.finding import Finding
from bigred_agent.settings import LOCAL_FILE, SYSTEM_FILE

DEFAULTS = (
    f"none: neither ./{LOCAL_FILE} nor {SYSTEM_FILE} exists; these are the defaults, "
    "and bigred-agent init writes a file"
)


def configuration(file: Path | None) -> Finding:
    """Name the file by its full path, or say that there is none, which is no problem."""
    return Finding("configuration", DEFAULTS if file is None else str(file.absolute()))
