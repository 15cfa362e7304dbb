"""Finds processes by a word of their command lines."""

from pathlib import Path


def living(mark: str) -> list[int]:
    """Return the processes, except zombies, whose command line contains the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark.encode() in line and state != "Z":
            found.append(int(entry.name))
    return found
