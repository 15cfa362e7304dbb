"""The judge compared with the usual methods in thousands of simulated rollouts, good and bad.

    ./bigred bench judge --rollouts 2000

A cell of the table is one world (tests/support/worlds.py): nodes, requests per second, and what is
special about it. Each rollout is ten minutes of looks every five seconds, judged by the same code
that runs in the server; no build is rolled back before the end, so that every method sees all of
it. For good builds every rollback is a false alarm: at most 1 % are allowed. For bad ones the table
shows the median number of the canary's requests until the rollback; for latency, of those after the
warm-up.
"""

import argparse
import statistics
import sys
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from tests.support import oracles
from tests.support.worlds import WARMUP_LOOKS, Story, World, drawn

from bigred_server.judge.evidence import EMPTY, weigh
from bigred_server.judge.judge import judge, verdict
from bigred_server.judge.judgement import Cause
from bigred_server.judge.look import Arm, Look, Pair
from bigred_server.judge.policy import JudgePolicy
from bigred_server.model.verdict import Verdict

POLICY = JudgePolicy()
MOST_FALSE = 0.01
# Mann-Whitney is slow; this many rollouts are enough for it.
ORACLE_ROLLOUTS = 200
PLAIN = [World("good", nodes, rate) for nodes in (2, 4, 8) for rate in (1.0, 10.0, 100.0)]
SPECIAL = ("outage", "clumped", "slowstart", "warming", "heavy", "sticky", "bot")
GOOD = PLAIN + [
    World(name, nodes, rate, **{name: True})
    for name in SPECIAL
    for nodes, rate in ((2, 10.0), (4, 1.0), (4, 10.0), (4, 100.0))
]
BAD = [
    World("fails 20 %", 4, 10.0, worse=0.2),
    World("fails 20 %", 4, 1.0, worse=0.2),
    World("fails 20 %", 2, 10.0, worse=0.2),
    World("fails 5 %", 4, 10.0, worse=0.05),
    World("fails 2 %", 4, 10.0, worse=0.02),
    World("takes x2", 4, 10.0, times=2.0),
    World("takes x1.5", 4, 10.0, times=1.5),
    World("5 % take x10", 4, 10.0, tail=0.05),
]
WANTED = {("fails 20 %", 4, 10.0): 40, ("fails 5 %", 4, 10.0): 200, ("takes x2", 4, 10.0): 120}


@dataclass(frozen=True)
class Cell:
    """The results of one world: shares of rollouts, and the requests until a rollback."""

    world: World
    rolled_back: float
    held: float
    environment: float
    fisher: float
    threshold: float
    mann_whitney: float
    requests: float | None

    @property
    def is_good(self) -> bool:
        """Return whether the build is good."""
        return not self.world.worse and self.world.times == 1.0 and not self.world.tail

    @property
    def falls_short(self) -> bool:
        """Return whether the judge misses its target here."""
        if self.is_good:
            return self.rolled_back > MOST_FALSE
        wanted = WANTED.get((self.world.name, self.world.nodes, self.world.rate))
        return wanted is not None and (self.requests is None or self.requests > wanted)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, and print the table; return 1 if a cell falls short."""
    options = parse(arguments)
    report(
        f"{options.rollouts} rollouts per cell; "
        f"look and judgement with 100 nodes: {cost_ms():.2f} ms"
    )
    report(HEAD)
    cells = []
    with ProcessPoolExecutor(options.processes) as pool:
        jobs = [(world, options.rollouts) for world in GOOD + BAD]
        for cell in pool.map(cell_of, *zip(*jobs, strict=True)):
            cells.append(cell)
            report(line(cell))
    short = [cell for cell in cells if cell.falls_short]
    report(f"{len(cells)} cells, {len(short)} fall short")
    return 1 if short else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench judge", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rollouts", type=int, default=2000, help="per cell (default 2000)")
    parser.add_argument("--processes", type=int, default=2, help="at once (default 2)")
    return parser.parse_args(arguments)


def cell_of(world: World, rollouts: int) -> Cell:
    """Simulate one world."""
    told_apart = f"{world.name} {world.nodes} {world.rate}"
    random = np.random.default_rng(zlib.crc32(told_apart.encode()))
    found = []
    others: list[tuple[bool, bool, bool]] = []
    for number in range(rollouts):
        story = drawn(world, random)
        found.append(judged(story))
        slow = number < ORACLE_ROLLOUTS and oracles.mann_whitney(story)
        others.append((oracles.fisher(story), oracles.threshold(story), slow))
    caught = [asked for asked, _, _ in found if asked is not None]
    return Cell(
        world,
        len(caught) / rollouts,
        sum(held for _, held, _ in found) / rollouts,
        sum(out for _, _, out in found) / rollouts,
        sum(one for one, _, _ in others) / rollouts,
        sum(one for _, one, _ in others) / rollouts,
        sum(one for _, _, one in others) / min(rollouts, ORACLE_ROLLOUTS),
        statistics.median(caught) if caught else None,
    )


def judged(story: Story) -> tuple[int | None, bool, bool]:
    """Judge one rollout: the canary's requests until rollback, whether held, and for what."""
    evidence, asked = EMPTY, 0
    held = environment = False
    by_latency = story.world.times != 1.0 or story.world.tail
    for number, look in enumerate(story.looks()):
        evidence = weigh(evidence, look, POLICY, story.world.errors)
        word, cause = verdict(evidence, POLICY, has_baseline=True)
        asked += look.answered if number >= WARMUP_LOOKS or not by_latency else 0
        held = held or word is Verdict.HOLD
        environment = environment or cause is Cause.ENVIRONMENT
        if word is Verdict.ROLLBACK:
            return asked, held, environment
    return None, held, environment


def cost_ms() -> float:
    """Return the cost of a look and its judgement with 100 nodes and 50 path groups."""
    arm = Arm(5000, 4000, 20)
    pairs = tuple(Pair(arm, arm) for _ in range(50))
    nodes = {f"node{number}": (1, 50) for number in range(100)}
    look = Look(
        at=0.0,
        span_s=5.0,
        errors=Pair(arm, arm),
        answered=5000,
        slow={0.5: pairs, 0.9: pairs, 0.99: pairs},
        where={f"/{number}": 1 for number in range(50)},
        nodes=nodes,
    )
    evidence, begun_s = EMPTY, time.perf_counter()
    for number in range(100):
        evidence = weigh(evidence, replace(look, at=5.0 * number), POLICY, 0.001)
        judge(evidence, POLICY, has_baseline=True)
    return (time.perf_counter() - begun_s) * 10


HEAD = (
    f"{'build':14} {'nodes':>5} {'1/s':>5}   {'rollback':>8} {'hold':>6} {'outage':>6}   "
    f"{'Fisher':>6} {'> 1 %':>6} {'M-W':>6}   {'requests':>8}"
)


def line(cell: Cell) -> str:
    """Format a cell as a line."""
    world = cell.world
    requests = "-" if cell.requests is None else f"{cell.requests:.0f}"
    return (
        f"{world.name:14} {world.nodes:5} {world.rate:5.0f}   {cell.rolled_back:8.2%} "
        f"{cell.held:6.1%} {cell.environment:6.1%}   {cell.fisher:6.1%} {cell.threshold:6.1%} "
        f"{cell.mann_whitney:6.1%}   {'-' if cell.is_good else requests:>8}"
        f"{'  falls short' if cell.falls_short else ''}"
    )


def report(text: str) -> None:
    """Print a line immediately."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
