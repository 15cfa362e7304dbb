"""What the hook adds to a push, and how the server copes with many pushes at once.

    ./bigred bench hook

Pairs of pushes to two repositories on one machine, one with our hook and one without, while the
server is healthy, refuses, hangs, or is dead; then fifty pushes within a minute while the API is
queried continuously.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from tests.support.pushes import TOKEN, api_url, pushing
from tests.support.repositories import Repository, call
from tests.support.rig import Rig, wait_rarely

from bigred_broker.program import free_port
from bigred_server.hook.install import install
from bigred_server.hook.repository import place_of
from bigred_server.settings.build import Vcs

MOST_HOOK_MS, MOST_AWAY_MS, MOST_API_MS = 150.0, 1000.0, 200.0
UNDER_WAY = ("submitted  ", "building  ", "testing")
WELL = "the server is healthy"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything; return 1 if something falls short."""
    options = parse(arguments)
    short = False
    report(f"{'per push, ms':20} {'without':>8} {'with':>8} {'median more':>12} {'most more':>10}")
    for name, without, with_hook in hook_costs(options):
        more = [b - a for a, b in zip(without, with_hook, strict=True)]
        middle, most = statistics.median(more), max(more)
        falls = middle > MOST_HOOK_MS if name == WELL else most > MOST_AWAY_MS
        short = short or falls
        plain, ours = statistics.median(without), statistics.median(with_hook)
        row = f"{name:20} {plain:8.0f} {ours:8.0f} {middle:12.0f} {most:10.0f}"
        report(f"{row}{'  falls short' if falls else ''}")
    return 1 if fifty(options) or short else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench hook", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--pairs", type=int, default=20, help="of pushes with and without the hook")
    parser.add_argument("--pushes", type=int, default=50, help="within a minute")
    return parser.parse_args(arguments)


def hook_costs(options: argparse.Namespace) -> Iterator[tuple[str, list[float], list[float]]]:
    """Push in pairs, without the hook and with it; yield the milliseconds of each."""
    with pushing("git", 2, deploy="on_press") as (place, _), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = Repository.made("git", folder / "plain")
        ours = Repository.made("git", folder / "ours")
        token = folder / "token"
        token.write_text(TOKEN)
        where = place_of(Vcs.GIT, ours.central)
        for situation, address in situations(place, api_url(place)):
            with address as at:
                install(where, at, "shop", token)
                pairs = [(milliseconds(plain), milliseconds(ours)) for _ in range(options.pairs)]
                yield situation, [one for one, _ in pairs], [one for _, one in pairs]


def situations(
    place: Rig, url: str
) -> Iterator[tuple[str, contextlib.AbstractContextManager[str]]]:
    """Yield each state that a server can be in, and its address in that state."""
    yield WELL, contextlib.nullcontext(url)
    yield "it refuses", contextlib.nullcontext(f"http://127.0.0.1:{free_port()}")

    @contextlib.contextmanager
    def hanging() -> Iterator[str]:
        with place.frozen():
            yield url

    yield "it hangs", hanging()
    # No machine has this address: nothing answers at all.
    yield "it is dead", contextlib.nullcontext("http://192.0.2.1:8500")


def milliseconds(repository: Repository) -> float:
    """Push a small commit; return how long the push took."""
    repository.commit(f"change {time.time_ns()}")
    begun_s = time.monotonic()
    call("git", "push", "-q", "origin", "main", folder=repository.checkout)
    return (time.monotonic() - begun_s) * 1000


@dataclass
class Asker:
    """Queries the API continuously; records the milliseconds of each answer."""

    url: str
    took_ms: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Query until stopped."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(base_url=self.url, headers=headers, timeout=10, trust_env=False) as http:
            while not self.over.wait(0.05):
                begun_s = time.monotonic()
                http.get("/api/v1/apps/shop").raise_for_status()
                self.took_ms.append((time.monotonic() - begun_s) * 1000)


def fifty(options: argparse.Namespace) -> bool:
    """Push repeatedly within a minute; return whether something falls short."""
    with pushing("git", 2, deploy="on_press") as (place, repository):
        asker = Asker(api_url(place))
        asking = threading.Thread(target=asker.run)
        asking.start()
        begun_s = time.monotonic()
        pushed = [repository.push(f"change {number}").commit for number in range(options.pushes)]
        took_s = time.monotonic() - begun_s

        def known() -> str:
            return place.bigred("build", "list", "--limit", "500")

        wait_rarely(lambda: not any(word in known() for word in UNDER_WAY), 120, "all is built")
        asker.over.set()
        asking.join(20)
        listed = known()
    kept = sum(commit[:12] in listed for commit in pushed)
    newest = next(one for one in listed.splitlines() if pushed[-1][:12] in one)
    p99 = statistics.quantiles(asker.took_ms, n=100)[98]
    report(
        f"\n{len(pushed)} pushes in {took_s:.1f} s: {kept} in the history, "
        f"{listed.count('superseded  ')} superseded, the newest is {newest.split()[1]}; "
        f"API p99 {p99:.0f} ms of {len(asker.took_ms)} answers"
    )
    return kept < len(pushed) or newest.split()[1] != "ready" or p99 > MOST_API_MS


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
