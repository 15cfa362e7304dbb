"""The crowd: the shop's customers as a process of the stage, and what they saw in figures."""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bigred_broker import program
from bigred_server.demo import samples
from bigred_server.demo.samples import Counts, Latency, Sample

_MOST_SECONDS = 900.0
_LEAVING_S = 15.0


@dataclass
class Crowd:
    """The customers, writing to `out`; all samples are there once they have left."""

    out: Path

    def counts(self) -> Counts:
        """Give how many requests were sent and failed so far, at most a second old."""
        lines = self.out.read_text().splitlines() if self.out.exists() else []
        last = json.loads(lines[-1]) if lines and lines[-1].endswith("}") else {}
        return Counts(last.get("requests", 0), last.get("failed", 0))

    def seen(self) -> list[Sample]:
        """Give all samples; only after the crowd has left."""
        return samples.read(self.out.with_name(f"{self.out.name}.samples"))


def latency(seen: list[Sample], from_s: float, to_s: float) -> Latency:
    """Give the latency of a span of monotonic time in ms; all zero without any request in it."""
    span = samples.latency(samples.within(seen, from_s, to_s))
    return span or Latency(p50=0.0, p99=0.0, max=0.0)


@contextlib.contextmanager
def shopping(folder: Path, url: str, rate: float) -> Iterator[Crowd]:
    """Have customers shop at `rate` requests a second until the block ends."""
    crowd = Crowd(folder / "traffic")
    command = [sys.executable, "-m", "bigred_server.demo.traffic", "--url", url]
    command += ["--rate", str(rate), "--out", str(crowd.out), "--max-seconds", str(_MOST_SECONDS)]
    log = folder / "traffic.log"
    with program.running("the traffic", command, log, lambda: crowd.counts().requests > 0) as child:
        yield crowd
        program.stop(child, patience_s=_LEAVING_S)
