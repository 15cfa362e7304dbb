"""What apps cost while nothing happens, and how soon all of them are deployed at once.

    ./bigred bench apps
    ./bigred bench apps --apps 50 --against ../other-checkout

A server with 1, 10 and 50 apps of three nodes, behind a real HAProxy with a backend for each app;
the nodes are in a process of their own, which answers half a second after a start. Idle: the
processor of the server in per cent of a core, in several windows of time. Then one app is deployed
alone, and then all of them at once, by way of the journal, as `bigred deploy` does. Meanwhile the
API is asked ten times a second; the longest time without an answer is a gap of the server's loop.
`--against` does each measurement in turn with another checkout's code. `--json FILE` writes it all.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.crowd import LIVE, NEXT, Crowd, crowd, fill
from tests.support.lids import processor_s
from tests.support.pulse import Pulse

from bigred_broker import mosquitto
from bigred_broker.messages import Phase
from bigred_broker.program import free_port, running, wait_until
from bigred_broker.settings import BrokerSettings
from bigred_server.artifacts.store import Store
from bigred_server.journal.database import Database
from bigred_server.requests import deploy

APPS = (1, 10, 50)
NODES = 3
WINDOWS = 5
SETTLE_S = 6.0
DEADLINE_S = 300.0
MOST_IDLE = 10.0
MOST_TIMES = 2.0
HERE = Path(__file__).parents[2]
PACKAGES = ("server", "agent", "broker")
LOCKED = ("database is locked", "no turn to write", "is busy")


@dataclass(frozen=True)
class Found:
    """One server with some apps. `idle`: per cent of a core, in each window.

    `alone_s`, `all_s`: until one deployment and until all have ended. `gap_s`: of the loop, while
    all were deployed. `endless`: acts without an end in the journal. `locked`: lock errors.
    `failed`: deployments that did not succeed.
    """

    apps: int
    idle: tuple[float, ...]
    alone_s: float
    all_s: float
    gap_s: float
    used_s: float
    endless: int
    locked: int
    failed: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures; return 1 if this checkout falls short."""
    options = parse(arguments)
    checkouts = {"": HERE, **({"against": options.against} if options.against else {})}
    found: dict[str, list[Found]] = {name: [] for name in checkouts}
    report(
        "                  idle, % of a core     alone    all  (processor)    gap  locked  endless"
    )
    for apps in options.apps or APPS:
        for name, checkout in checkouts.items():
            with tempfile.TemporaryDirectory(prefix="bigred-apps-") as folder:
                one = measured(Path(folder), checkout, apps, options.window)
            found[name].append(one)
            report(row(f"{apps} apps {name}", one))
    if options.json:
        shown = {name: [asdict(one) for one in values] for name, values in found.items()}
        options.json.write_text(json.dumps(shown, indent=1))
    wrong = [text for one in found[""] for text in shortcomings(one)]
    for text in wrong:
        report(text)
    return 1 if wrong else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench apps", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--apps", type=int, action="append", choices=range(1, 101), metavar="N")
    parser.add_argument("--window", type=float, default=8.0, help="seconds (default 8)")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args(arguments)
    options.window = max(2.0, min(options.window, 60.0))
    return options


def measured(folder: Path, checkout: Path, apps: int, window_s: float) -> Found:
    """Measure one server with some apps."""
    port = free_port()
    text = mosquitto.configuration(BrokerSettings(port=port))
    with mosquitto.started(folder / "mqtt", text, port), crowd(folder, apps, NODES, port) as site:
        asyncio.run(fill(site))
        with serving(site, checkout) as server:
            time.sleep(SETTLE_S)
            idle = tuple(busy_share(server.pid, window_s) for _ in range(WINDOWS))
            alone_s = asyncio.run(deployed(site, {site.apps[0]: NEXT}))
            pulse, used_s = Pulse(site.api), processor_s(server.pid)
            with pulse.taken():
                wanted = dict.fromkeys(site.apps, NEXT) | {site.apps[0]: LIVE}
                all_s = asyncio.run(deployed(site, wanted))
            used_s = processor_s(server.pid) - used_s
        log = (folder / "server.log").read_text()
    locked = sum(line.count(words) for line in log.splitlines() for words in LOCKED)
    with closing(sqlite3.connect(site.journal)) as db:
        endless = db.execute("SELECT count(*) FROM act WHERE outcome IS NULL").fetchone()[0]
        ended = db.execute(
            "SELECT count(*) FROM deployment WHERE phase = ?", (Phase.SUCCEEDED,)
        ).fetchone()[0]
    # Of each app one was there before.
    failed = 2 * apps + 1 - ended
    return Found(apps, idle, alone_s, all_s, max(pulse.answers_s), used_s, endless, locked, failed)


@contextlib.contextmanager
def serving(site: Crowd, checkout: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server with the code of a checkout."""
    environment = {**os.environ, "PYTHONPATH": path_of(checkout)}
    argv = ["env", f"PYTHONPATH={environment['PYTHONPATH']}", sys.executable]
    argv += ["-m", "bigred_server", "server", "--config", str(site.config)]
    log = site.folder / "server.log"
    with running("the server", argv, log, Pulse(site.api).is_felt, DEADLINE_S) as server:
        yield server


def path_of(checkout: Path) -> str:
    """Return where Python finds the code of a checkout."""
    return os.pathsep.join(str(checkout / package) for package in PACKAGES)


def busy_share(pid: int, window_s: float) -> float:
    """Return what a process uses for some time, in per cent of a core."""
    before_s, begun_s = processor_s(pid), time.monotonic()
    time.sleep(window_s)
    return 100 * (processor_s(pid) - before_s) / (time.monotonic() - begun_s)


async def deployed(site: Crowd, wanted: dict[str, str]) -> float:
    """Deploy a version of each app, and return the seconds until the last one has ended."""
    db, store = await Database.open(site.journal), Store(site.folder / "state" / "releases")
    begun_s = time.monotonic()
    ids = {
        (await deploy.deploy(db, store, app, version, "bench")).id
        for app, version in wanted.items()
    }
    await db.close()

    def are_over() -> bool:
        with closing(sqlite3.connect(site.journal, timeout=30.0)) as file:
            rows = file.execute("SELECT id FROM deployment WHERE ended_at IS NULL").fetchall()
        return not ids & {one for (one,) in rows}

    await asyncio.to_thread(wait_until, are_over, DEADLINE_S, "all deployments have ended", 0.1)
    return time.monotonic() - begun_s


def shortcomings(one: Found) -> list[str]:
    """Return what is not as it should be."""
    found = []
    idle = statistics.median(one.idle)
    if idle > MOST_IDLE:
        found.append(f"{one.apps} idle apps use {idle:.1f} % of a core: wanted {MOST_IDLE:g}")
    if one.all_s > MOST_TIMES * one.alone_s:
        times = one.all_s / one.alone_s
        found.append(f"{one.apps} at once take {times:.1f} times one: wanted {MOST_TIMES:g}")
    for count, what in (
        (one.endless, "acts have no end in the journal"),
        (one.locked, "lock errors"),
        (one.failed, "deployments did not succeed"),
    ):
        if count:
            found.append(f"{one.apps} apps: {count} {what}")
    return found


def row(name: str, one: Found) -> str:
    """Format the figures of one server."""
    low, high = min(one.idle), max(one.idle)
    return (
        f"{name:<18}{statistics.median(one.idle):6.1f} ({low:.1f} to {high:.1f})"
        f"{one.alone_s:10.1f} s{one.all_s:6.1f} s ({one.used_s:.1f} s){one.gap_s:9.2f} s"
        f"{one.locked:6}{one.endless:8}"
    )


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
