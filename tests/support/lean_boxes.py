"""Many lean boxes in one process of their own, which does what it is told.

    python -m tests.support.lean_boxes --port 1883 --first 0 --count 5000

It reads a JSON object a line, and answers each with a line: `{"do": "count"}` with how many boxes
are up, and how many of these know the server's clock; `{"do": "lids", "topic": "bigred/box",
"count": 100, "every_s": 0.02, "within_s": 2}` lifts the lids of so many boxes in turn, and answers
with the seconds until each was armed, or null. It ends with its standard input.
"""

import argparse
import itertools
import json
import os
import selectors
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.lean_box import LeanBox

_TICK_S = 0.1
# Boxes are not switched on all at once; but a broker that is lost is lost to all at once.
_BOOTS_PER_S = 1000.0
_STDIN = 0


@dataclass
class _Lids:
    """Lids that are to be lifted, and those that were: when each was, and when it was answered."""

    topic: str
    due: Iterator[tuple[float, LeanBox]]
    count: int
    within_s: float
    sent: dict[str, float] = field(default_factory=dict)
    answered_s: dict[str, float | None] = field(default_factory=dict)

    def is_over(self, now_s: float) -> bool:
        """Return whether all are answered, or nothing more can be expected."""
        if len(self.sent) < self.count:
            return False
        is_late = now_s > max(self.sent.values(), default=0.0) + self.within_s
        return is_late or len(self.answered_s) == self.count

    def seconds(self) -> list[float | None]:
        """Return the seconds from each lid until it was armed."""
        found = ((self.answered_s.get(one), at_s) for one, at_s in self.sent.items())
        return [None if end_s is None else end_s - at_s for end_s, at_s in found]


class Crowd:
    """The boxes of this process, and its one loop."""

    def __init__(self, port: int, first: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._boxes = [
            LeanBox(f"box-{number}", port, self._selector, self._take)
            for number in range(first, first + count)
        ]
        begin_s = time.monotonic()
        for number, box in enumerate(self._boxes):
            box.again_s = begin_s + number / _BOOTS_PER_S
        self._turn = itertools.cycle(self._boxes)
        self._ids = (f"{os.getpid()}-{number}" for number in itertools.count())
        self._lids: _Lids | None = None
        self._next_due: tuple[float, LeanBox] | None = None
        self._input = bytearray()

    def run(self) -> None:
        """Play the boxes until the standard input ends."""
        os.set_blocking(_STDIN, False)
        self._selector.register(_STDIN, selectors.EVENT_READ)
        tick_s = 0.0
        while True:
            for key, events in self._selector.select(self._patience_s()):
                if isinstance(key.data, LeanBox):
                    key.data.handle(events)
                elif not self._read():
                    return
            now_s = time.monotonic()
            self._lift(now_s)
            if now_s >= tick_s:
                tick_s = now_s + _TICK_S
                for box in self._boxes:
                    box.tick(now_s)

    def _next_up(self) -> LeanBox:
        """Return the next box that is up, or any if none is."""
        some = itertools.islice(self._turn, len(self._boxes))
        return next((box for box in some if box.is_up), self._boxes[0])

    def _patience_s(self) -> float:
        if self._next_due is None:
            return _TICK_S
        return min(_TICK_S, max(0.0, self._next_due[0] - time.monotonic()))

    def _read(self) -> bool:
        """Take commands; return False at the end of the standard input."""
        data = os.read(_STDIN, 65536)
        self._input += data
        while b"\n" in self._input:
            line, _, rest = bytes(self._input).partition(b"\n")
            self._input = bytearray(rest)
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, command: dict[str, object]) -> None:
        if command["do"] == "count":
            told = sum(box.is_told for box in self._boxes)
            _say({"up": sum(box.is_up for box in self._boxes), "told": told})
            return
        count, every_s = int(str(command["count"])), float(str(command["every_s"]))
        begin_s = time.monotonic()
        due = ((begin_s + number * every_s, self._next_up()) for number in range(count))
        within_s = float(str(command["within_s"]))
        self._lids = _Lids(str(command["topic"]), due, count, within_s)
        self._next_due = next(due, None)

    def _lift(self, now_s: float) -> None:
        """Lift the lids that are due; report them when all are over."""
        if self._lids is None:
            return
        while self._next_due is not None and self._next_due[0] <= now_s:
            _, box = self._next_due
            event = next(self._ids)
            self._lids.sent[event] = time.monotonic()
            box.lift(event, f"{self._lids.topic}/{box.name}/event")
            self._next_due = next(self._lids.due, None)
        if self._lids.is_over(now_s):
            _say(self._lids.seconds())
            self._lids = None

    def _take(self, payload: bytes) -> None:
        """Take an answer: of the server, or of the echo, which is the event itself."""
        at_s, found = time.monotonic(), json.loads(payload)
        if self._lids is not None and found["id"] in self._lids.sent:
            is_armed = found.get("answer", "armed") == "armed"
            self._lids.answered_s.setdefault(found["id"], at_s if is_armed else None)


def _say(answer: object) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def main() -> None:
    """Play the boxes."""
    parser = argparse.ArgumentParser()
    for name in ("port", "first", "count"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    Crowd(options.port, options.first, options.count).run()


if __name__ == "__main__":
    main()
