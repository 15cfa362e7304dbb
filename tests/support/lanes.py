"""The lanes of the whole test run, and the tests that measure time and want the machine alone."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Files that are there anyway are the locks, so that none is left behind.
_DOOR = Path(__file__)
_ROOM = Path(__file__).parents[1] / "conftest.py"


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Run a test beside those of the other lanes; `alone`, while they wait."""
    with _DOOR.open() as door, _ROOM.open() as room:
        # Who wants to be alone keeps the door, so that nobody enters while the others leave.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
