"""How soon a lid is armed, what it costs the server, and whether the journal keeps what it says.

    ./bigred bench press --lids 200

A server, Mosquitto, and an app that Jenkins deploys, with 1,000 boxes. One box lifts its lid again
and again; then each box does once, 50 of them a second; then both once more with 100,000 answers in
the journal. Beside it, an echo over the same broker shows what is not the server's part. The
figures are the milliseconds from the lid until its answer comes from the broker, and the server's
processor time per lid, without what it uses when nothing happens. Last, a process that writes to a
journal is killed again and again: nothing that it has acknowledged may be missing.
"""

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from tests.support.floods import FloodSite, flood_site
from tests.support.killed_writer import missing_after_kills
from tests.support.lids import Lids, echo, lids, processor_s, spent_s

BOXES = [f"box-{number}" for number in range(1000)]
MOST_LIDS = 2000
MOST_KILLS = 1000
KEPT = 100_000
# The server answers a box 20 times a second.
PAUSE_S = 0.06
EVERY_S = 1 / 50
IDLE_S = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="./bigred bench press", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--lids", type=int, default=200, help="one after another (default 200)")
    parser.add_argument("--kills", type=int, default=100, help="of a writer (default 100)")
    options = parser.parse_args(arguments)
    count = min(options.lids, MOST_LIDS)
    with tempfile.TemporaryDirectory(prefix="bigred-press-") as name:
        folder = Path(name)
        with flood_site(folder, BOXES) as site, lids(site.port, "bigred/box") as boxes:
            report("lid to answer, in ms          median      p90      p99      max   processor")
            idle = spent_s(site.server.pid, lambda: time.sleep(IDLE_S)) / IDLE_S
            report(f"the server at rest uses {1000 * idle:.1f} ms of processor a second")
            with echo(site.port) as without:
                measure("an echo", site, without, count, 0.0)
                measure("the server", site, boxes, count, idle)
                fill(folder / "state" / "bigred.db")
                measure(f"with {KEPT} answers", site, boxes, count, idle)
        kills = min(options.kills, MOST_KILLS)
        missing, written = missing_after_kills(folder / "killed", kills)
        text = f"{kills} kills in the middle of writes: of {len(written)} acknowledged facts"
        report(f"{text} {len(missing)} are missing")
    return 1 if missing else 0


def measure(name: str, site: FloodSite, boxes: Lids, count: int, idle: float) -> None:
    """Print two lines of the table: lids one after another, and many boxes at once."""
    pid = site.server.pid
    works: dict[str, Callable[[], list[float]]] = {
        f"{name}, one by one": lambda: boxes.one_after_another(BOXES[0], count, PAUSE_S),
        f"{name}, {1 / EVERY_S:.0f} a second": lambda: boxes.each(BOXES, EVERY_S),
    }
    for text, work in works.items():
        begun_s, before_s = time.monotonic(), processor_s(pid)
        found = work()
        spent = processor_s(pid) - before_s - idle * (time.monotonic() - begun_s)
        report(f"{text:<28}{figures(found)}{1000 * spent / len(found):>9.1f} ms")


def figures(seconds: Sequence[float]) -> str:
    """Format the distribution of the answers, in milliseconds."""
    armed = [1000 * one for one in seconds if one != float("inf")]
    if len(armed) < len(seconds):
        return f"  {len(seconds) - len(armed)} of {len(seconds)} not armed"
    cuts = statistics.quantiles(armed, n=100, method="inclusive")
    return "".join(f"{one:>9.1f}" for one in (cuts[49], cuts[89], cuts[98], max(armed)))


def fill(journal: Path) -> None:
    """Write answers to boxes into a journal in use, in short transactions."""
    each = KEPT // 500
    with closing(sqlite3.connect(journal, timeout=10.0)) as db:
        for box in range(500):
            with db:
                db.executemany(
                    "INSERT INTO answer (box, event, at, reply) VALUES (?, ?, ?, ?)",
                    [(f"old-{box}", f"e-{number}", float(number), "{}") for number in range(each)],
                )


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
