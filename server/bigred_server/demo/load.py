"""The load on the shop: its customers as a separate process, and their results."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bigred_broker import program
from bigred_server.demo import request_log, visit_log
from bigred_server.demo.request_log import Counts, Latency, RequestSample
from bigred_server.demo.visit_log import Visit

_MOST_SECONDS = 900.0
_STOP_GRACE_S = 15.0


@dataclass(frozen=True)
class LoadOptions:
    """The load to generate: `rate` requests per second, sent by `customers` in turn, and more.

    `slow`: further customers who request answers that take up to `slowest_ms`. `users`: users who
    log in and return every `pause_s` seconds on average; with `stay_s`, they log out after about
    that time, and others replace them.
    """

    rate: float
    customers: int = 20
    slow: int = 2
    slowest_ms: int = 5000
    users: int = 0
    pause_s: float = 1.0
    stay_s: float | None = None


@dataclass
class Load:
    """Running load; it writes to `out`, and all samples once it has stopped."""

    out: Path

    def counts(self) -> Counts:
        """Return the number of requests sent and failed so far, at most a second old."""
        last = self._last()
        return Counts(last.get("requests", 0), last.get("failed", 0))

    def sessions(self) -> tuple[int, int]:
        """Return how many users have their session and how many lost it, at most a second old."""
        last = self._last()
        return last.get("sessions", 0), last.get("lost", 0)

    def seen(self) -> list[RequestSample]:
        """Return all samples; only available once the load has stopped."""
        return request_log.read(self.out.with_name(f"{self.out.name}.samples"))

    def visits(self) -> list[Visit]:
        """Return the visits of all users; only available once the load has stopped."""
        return visit_log.read(self.out.with_name(f"{self.out.name}.visits"))

    def _last(self) -> dict[str, int]:
        lines = self.out.read_text().splitlines() if self.out.exists() else []
        last: dict[str, int] = json.loads(lines[-1]) if lines and lines[-1].endswith("}") else {}
        return last


def latency(seen: list[RequestSample], from_s: float, to_s: float) -> Latency:
    """Return the latency in a span of monotonic time in ms; zeros if it has no requests."""
    span = request_log.latency(request_log.within(seen, from_s, to_s))
    return span or Latency(p50=0.0, p99=0.0, max=0.0)


@contextlib.contextmanager
def shopping(
    folder: Path, url: str | Sequence[str], options: float | LoadOptions, name: str = "traffic"
) -> Iterator[Load]:
    """Generate load until the block ends; a number is a rate with default options.

    If there are several URLs, each gets its share. `name`: the name of the files in `folder`.
    """
    options = options if isinstance(options, LoadOptions) else LoadOptions(options)
    load = Load(folder / name)
    command = [sys.executable, "-m", "bigred_server.demo.traffic", "--out", str(load.out)]
    command += [f"--url={one}" for one in ([url] if isinstance(url, str) else url)]
    for option, value in asdict(options).items():
        command += [] if value is None else [f"--{option.replace('_', '-')}={value}"]
    command += ["--max-seconds", str(_MOST_SECONDS)]
    log = folder / f"{name}.log"
    with program.running("the traffic", command, log, lambda: load.counts().requests > 0) as child:
        yield load
        program.stop(child, patience_s=_STOP_GRACE_S)
