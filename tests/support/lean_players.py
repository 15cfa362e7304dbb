"""The processes that play lean boxes, as their parent sees them."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

# What ten thousand boxes in one process receive at once would delay the lids of a few.
LIFTING = 1000
OTHERS = 2


@dataclass
class Player:
    """A process with some of the boxes."""

    process: "subprocess.Popen[str]"

    def ask(self, command: object) -> None:
        """Give it a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(command)}\n")
        self.process.stdin.flush()

    def answer(self) -> object:
        """Return its next answer."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def playing(port: int, boxes: int) -> Iterator[list[Player]]:
    """Have boxes connect, and play them until the block ends; the first process lifts lids."""
    lifting = min(boxes, LIFTING)
    others = (boxes - lifting) // OTHERS
    with contextlib.ExitStack() as stack:
        players = [stack.enter_context(_player(port, 0, lifting))]
        if others:
            firsts = range(lifting, boxes, others)
            players += [stack.enter_context(_player(port, one, others)) for one in firsts]
        yield players


@contextlib.contextmanager
def _player(port: int, first: int, count: int) -> Iterator[Player]:
    command = [sys.executable, "-m", "tests.support.lean_boxes", "--port", str(port)]
    command += ["--first", str(first), "--count", str(count)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Player(process)
        finally:
            process.kill()
