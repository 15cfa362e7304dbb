"""What boxes cost as there are more of them, connected, at rest and when they come back.

    ./bigred bench boxes
    ./bigred bench boxes --boxes 1000 --rounds 1 --json boxes.json

A server, Mosquitto, and an app that Jenkins deploys; the boxes are lean MQTT clients on this
machine, which subscribe, publish and come back as the agent does. For each number of boxes: how
soon all are connected and the server has announced each to Home Assistant, its memory, and its
processor at rest; then lids of up to 1,000 boxes, 50 a second, answered in turn by the server and
by a bare echo over the same broker; then a killed broker that comes back and has forgotten
everything; then a killed server. The boxes use the same processors as the server and the broker, so
that with 10,000 of them all figures are worse than with boxes of their own. Returns 1 if it falls
short.
"""

import argparse
import dataclasses
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.crowd_site import BOXES, ECHO, CrowdSite, crowd_site, played
from tests.support.lids import processor_s, spent_s

SIZES = (100, 1_000, 10_000)
MOST_BOXES = 10_000
MOST_ROUNDS = 20
LIDS = 1_000
PER_S = 50.0
IDLE_S = 10.0
# Each box needs a file here and one in the broker, which takes over our limit.
SPARE_FILES = 200
MOST_MS = {1_000: 50.0, 10_000: 100.0}
MOST_BACK_S = 15.0


@dataclass(frozen=True)
class Lids:
    """The lids of one round: how many were armed of how many, and the milliseconds until then."""

    asked: int
    armed: int
    p50_ms: float
    p99_ms: float
    processor_ms: float


@dataclass(frozen=True)
class Figures:
    """What was measured with so many boxes; seconds, MiB, and the percent of one processor."""

    boxes: int
    connected_s: float
    announced_s: float
    memory_mib: float
    broker_mib: float
    idle_percent: float
    lids: Sequence[Lids]
    echo: Sequence[Lids]
    broker_back_s: float
    broker_first_lid_s: float
    broker_announced_s: float
    server_first_lid_s: float
    server_lids: Lids


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures; return 1 if one falls short."""
    options = parse(arguments)
    found = [measured(boxes, options.rounds) for boxes in options.boxes]
    if options.json:
        rows = [dataclasses.asdict(each) for each in found]
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    short = [text for each in found for text in shortfalls(each)]
    for text in short:
        report(f"falls short: {text}")
    return 1 if short else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench boxes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--boxes", type=int, nargs="+", default=SIZES, help="how many, in turn")
    parser.add_argument("--rounds", type=int, default=3, help="of lids (default 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args(arguments)
    options.boxes = [max(2, min(one, MOST_BOXES)) // 2 * 2 for one in options.boxes]
    options.rounds = max(1, min(options.rounds, MOST_ROUNDS))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max(options.boxes) + SPARE_FILES
    if most != resource.RLIM_INFINITY and most < needed:
        parser.error(f"{needed} open files are needed, and {most} are allowed; see: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
    return options


def measured(boxes: int, rounds: int) -> Figures:
    """Measure with so many boxes, and print what was found."""
    with (
        tempfile.TemporaryDirectory(prefix="bigred-boxes-") as name,
        crowd_site(Path(name), boxes) as site,
    ):
        begun_s = time.monotonic()
        with played(site):
            connected_s, announced_s = site.wait_up(begun_s), site.wait_announced(begun_s)
            report(f"{boxes} boxes: connected in {connected_s:.1f} s, known in {announced_s:.1f} s")
            idle = spent_s(site.server.pid, lambda: time.sleep(IDLE_S)) / IDLE_S
            memory, of_broker = memory_mib(site.server.pid), memory_mib(site.broker.pid)
            report(
                f"  at rest: server {memory:.0f} MiB and {100 * idle:.1f} % of a processor, "
                f"broker {of_broker:.0f} MiB"
            )
            in_turn = [(lids(site, BOXES, idle), lids(site, ECHO, 0.0)) for _ in range(rounds)]
            served, echoed = [one for one, _ in in_turn], [one for _, one in in_turn]
            tell("lids", served)
            tell("echo", echoed)
            begun_s = time.monotonic()
            site.restart_broker()
            first_s, back_s = site.first_lid(begun_s), site.wait_up(begun_s)
            known_s = site.wait_announced(begun_s)
            report(
                f"  broker killed: first lid armed after {first_s:.1f} s, all back after "
                f"{back_s:.1f} s, all known after {known_s:.1f} s"
            )
            begun_s = time.monotonic()
            site.restart_server()
            again_s = site.first_lid(begun_s)
            after = lids(site, BOXES, idle)
            report(f"  server killed: first lid armed after {again_s:.1f} s, and then:")
            tell("lids", [after])
        back = (back_s, first_s, known_s, again_s)
        at_rest = (memory, of_broker, 100 * idle)
        return Figures(boxes, connected_s, announced_s, *at_rest, served, echoed, *back, after)


def lids(site: CrowdSite, topic: str, idle: float) -> Lids:
    """Lift lids, 50 a second; `idle`: the share of a processor that the server uses anyway."""
    begun_s, before_s = time.monotonic(), processor_s(site.server.pid)
    found = site.lids(topic, LIDS, PER_S)
    spent = processor_s(site.server.pid) - before_s - idle * (time.monotonic() - begun_s)
    armed = [1000 * one for one in found if one != float("inf")]
    cuts = statistics.quantiles(armed, n=100, method="inclusive") if len(armed) > 1 else [0.0] * 99
    return Lids(len(found), len(armed), cuts[49], cuts[98], 1000 * spent / len(found))


def tell(name: str, rounds: Sequence[Lids]) -> None:
    """Print the medians of some rounds, and the lowest and highest values."""
    shown = {
        "p50": [one.p50_ms for one in rounds],
        "p99": [one.p99_ms for one in rounds],
        "processor": [one.processor_ms for one in rounds],
    }
    text = ", ".join(
        f"{key} {statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f}) ms"
        for key, values in shown.items()
        if key != "processor" or name == "lids"
    )
    armed = f"{sum(one.armed for one in rounds)} of {sum(one.asked for one in rounds)} armed"
    report(f"  {name}: {armed}, {text}")


def shortfalls(found: Figures) -> list[str]:
    """List what is worse than it should be."""
    texts = []
    if any(one.armed < one.asked for one in found.lids):
        texts.append(f"{found.boxes} boxes: not all lids were armed")
    p99_ms, most_ms = statistics.median(one.p99_ms for one in found.lids), MOST_MS.get(found.boxes)
    if most_ms is not None and p99_ms > most_ms:
        texts.append(f"{found.boxes} boxes: a p99 of {p99_ms:.0f} ms is over {most_ms:.0f}")
    for name in ("broker_back_s", "broker_first_lid_s", "broker_announced_s", "server_first_lid_s"):
        if (seconds := getattr(found, name)) > MOST_BACK_S:
            texts.append(f"{found.boxes} boxes: {name} of {seconds:.1f} is over {MOST_BACK_S:.0f}")
    return texts


def memory_mib(pid: int) -> float:
    """Return the memory that a process uses."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
