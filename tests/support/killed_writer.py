"""A process that writes to a journal and is killed: what it has acknowledged, and what is there."""

import itertools
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

_LONGEST_S = 60.0


def missing_after_kills(folder: Path, kills: int) -> tuple[int, int]:
    """Kill a writer again and again; return how many acknowledged writes are missing, and of all.

    Each is killed after another number of writes, with others under way. The folder is made.
    """
    folder.mkdir()
    journal, acknowledged = folder / "bigred.db", set[int]()
    for number in range(kills):
        acknowledged |= _acknowledged(journal, (number + 1) * 1_000_000, after=1 + number % 17)
    with closing(sqlite3.connect(journal)) as db:
        assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        found = {int(at) for (at,) in db.execute("SELECT at FROM answer")}
    return len(acknowledged - found), len(acknowledged)


def _acknowledged(journal: Path, first: int, after: int) -> set[int]:
    """Start a writer, kill it after some writes, and return all that it has acknowledged."""
    command = [sys.executable, "-m", "tests.support.acknowledging_writer"]
    with subprocess.Popen([*command, str(journal), str(first)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        try:
            lines = list(itertools.islice(writer.stdout, after))
        finally:
            writer.kill()
        # What it had acknowledged before the kill reached it counts, too.
        lines += writer.stdout.readlines()
        writer.wait(_LONGEST_S)
    assert len(lines) >= after, "the writer ended by itself"
    return {int(line) for line in lines if line.endswith(b"\n")}
