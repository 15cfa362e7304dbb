"""Which processes live: by a word that their command lines have."""

from pathlib import Path


def living(mark: str) -> list[int]:
    """Give the processes, zombies left out, whose command line has the mark."""
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
