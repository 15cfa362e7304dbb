"""A process that writes to a journal and is killed: what it has acknowledged, and what is there."""

import itertools
import subprocess
import sys
from pathlib import Path

from tests.support.journal_facts import facts

_LONGEST_S = 60.0


def missing_after_kills(folder: Path, kills: int) -> tuple[frozenset[str], frozenset[str]]:
    """Kill a writer again and again; return which facts are missing of all that it acknowledged.

    Each is killed after another number of facts, with others under way. The folder is made.
    """
    folder.mkdir()
    journal, acknowledged = folder / "bigred.db", set[str]()
    for number in range(kills):
        acknowledged |= _acknowledged(journal, number, after=1 + 7 * number % 61)
    return frozenset(acknowledged - facts(journal)), frozenset(acknowledged)


def _acknowledged(journal: Path, run: int, after: int) -> set[str]:
    """Start a writer, kill it after some facts, and return all that it has acknowledged."""
    command = [sys.executable, "-m", "tests.support.acknowledging_writer"]
    with subprocess.Popen([*command, str(journal), str(run)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        try:
            lines = list(itertools.islice(writer.stdout, after))
        finally:
            writer.kill()
        # What it had acknowledged before the kill reached it counts, too.
        lines += writer.stdout.readlines()
        writer.wait(_LONGEST_S)
    assert len(lines) >= after, "the writer ended by itself"
    return {line.decode().rstrip("\n") for line in lines if line.endswith(b"\n")}
