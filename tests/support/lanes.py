"""The lanes of the whole test run, and the tests that measure time and need the machine alone."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Existing files are the locks, so that none is left behind.
_ENTRY = Path(__file__)
_MACHINE = Path(__file__).parents[1] / "conftest.py"


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Run a test alongside those of the other lanes; `alone`, while they wait."""
    with _ENTRY.open() as entry, _MACHINE.open() as machine:
        # A test that needs the machine alone keeps this lock, so that none starts while others end.
        fcntl.flock(entry, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(entry, fcntl.LOCK_UN)
        yield
