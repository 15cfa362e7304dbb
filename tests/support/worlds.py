"""Worlds for the judge: what users of a rollout see in ten minutes, simulated with numpy.

Clients send several requests per look, to random nodes or always to the same one. One of the nodes
is the canary. The results are the same looks that telemetry would make.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bigred_server.judge.evidence import CUTS
from bigred_server.judge.look import Arm, Look, Pair, Signs

LOOK_S = 5.0
LOOKS = 120
WARMUP_LOOKS = 12
CANARY = 0
_USUAL_MS = 20.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class World:
    """One cell of the table. `rate`: requests per second at all nodes together.

    `errors`: the share that fails everywhere, `worse` the canary's. `times`: how many times as long
    the canary's answers take; `tail` of them take ten times as long. `outage`: looks in which 30 %
    fail everywhere. `clumped`: errors come as incidents of one client, five on average.
    `slowstart`: the canary's share of traffic grows over the first minute. `warming`: its answers
    take four times as long at first, fading over 40 s. `heavy`: latency with infinite variance.
    `sticky`: clients stay at their node, and one in ten is slow everywhere. `bot`: one client
    always fails, and stays at the canary.
    """

    name: str
    nodes: int
    rate: float
    errors: float = 0.005
    worse: float | None = None
    times: float = 1.0
    tail: float = 0.0
    outage: bool = False
    clumped: bool = False
    slowstart: bool = False
    warming: bool = False
    heavy: bool = False
    sticky: bool = False
    bot: bool = False


@dataclass(frozen=True)
class Story:
    """All requests of one rollout, by look: client, node, failure and duration (ms).

    A client that is seen at only one node counts once: of its requests only the first one there
    `counts`, and of its errors only the one that `fails_first`.
    """

    world: World
    look: Ints
    node: Ints
    client: Ints
    failed: Bools
    took_ms: Ints
    counts: Bools
    fails_first: Bools
    cuts: dict[float, float] = field(default_factory=dict)

    @property
    def canary(self) -> Bools:
        return np.equal(self.node, CANARY)

    def looks(self) -> Iterator[Look]:
        """Yield the looks one after the other."""
        edges = np.searchsorted(self.look, np.arange(LOOKS + 1))
        for number in range(LOOKS):
            part = slice(int(edges[number]), int(edges[number + 1]))
            yield _look(self, number, part)


def baseline_cuts(world: World, random: np.random.Generator) -> dict[float, float]:
    """Return the baseline from a thousand requests before the deployment."""
    took = _latency(world, random, 1000)
    return {cut: float(np.quantile(np.rint(took), cut)) for cut in CUTS}


def drawn(world: World, random: np.random.Generator) -> Story:
    """Draw one rollout."""
    cuts = baseline_cuts(world, random)
    count = int(random.poisson(world.rate * LOOK_S * LOOKS))
    look = np.sort(random.integers(0, LOOKS, count))
    clients = max(8, int(world.rate * LOOK_S / 3))
    client = random.integers(0, clients, count)
    node = client % world.nodes if world.sticky else random.integers(0, world.nodes, count)
    if world.slowstart:
        # In the first minute the canary gets a growing part of its later share.
        gone = (node == CANARY) & (random.random(count) > (look + 1) / WARMUP_LOOKS)
        node = np.where(gone, random.integers(1, world.nodes, count), node)
    canary = node == CANARY
    chance = np.where(canary & (world.worse is not None), world.worse or 0.0, world.errors)
    if world.outage:
        begin = int(random.integers(5, LOOKS - 45))
        out = (look >= begin) & (look < begin + 40)
        chance = np.where(out, 0.3, chance)
    if world.clumped:
        failed = _incidents(look, node, client, chance, random)
    else:
        failed = random.random(count) < chance
    took = _latency(world, random, count)
    took *= np.where(canary, world.times, 1.0)
    took *= np.where(canary & (random.random(count) < world.tail), 10.0, 1.0)
    if world.sticky:
        took *= np.where(client % 10 == 0, 3.0, 1.0)
    if world.warming:
        age_s = look * LOOK_S
        took *= np.where(canary, 1.0 + 3.0 * np.clip(1 - age_s / 40.0, 0, 1), 1.0)
    if world.bot:
        failed = failed | (client == CANARY)
        node = np.where(client == CANARY, CANARY, node)
    mobile, new = _mobile(look, node, client), _first(node, client, np.ones(count, dtype=np.bool_))
    counts, fails_first = mobile | new, failed & (mobile | _first(node, client, failed))
    took_ms = np.rint(took).astype(np.int64)
    return Story(world, look, node, client, failed, took_ms, counts, fails_first, cuts)


def _mobile(look: Ints, node: Ints, client: Ints) -> Bools:
    """Return for each request whether its client was at another node in the minute before."""
    order = np.lexsort((np.arange(len(look)), client))
    ours, at, where = client[order], look[order], node[order]
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (ours[1:] != ours[:-1]) | (where[1:] != where[:-1])
    run = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    before = np.maximum(run - 1, 0)
    known = (run > 0) & (ours[before] == ours)
    found = np.zeros(len(order), dtype=np.bool_)
    found[order] = known & (at - at[before] <= WARMUP_LOOKS)
    return found


def _first(node: Ints, client: Ints, among: Bools) -> Bools:
    """Return for each request whether it is its client's first one at its node, among these."""
    found = np.zeros(len(node), dtype=np.bool_)
    places = np.flatnonzero(among)
    _, first = np.unique(node[places] * 1_000_000 + client[places], return_index=True)
    found[places[first]] = True
    return found


def _incidents(
    look: Ints, node: Ints, client: Ints, chance: Floats, random: np.random.Generator
) -> Bools:
    """Make all requests of a client at a node in a look fail together, one time in five."""
    key = (look * 64 + node) * 100_000 + client
    _, which = np.unique(key, return_inverse=True)
    struck = random.random(int(which.max(initial=0)) + 1)[which] < chance
    return np.asarray(struck, dtype=np.bool_)


def _latency(world: World, random: np.random.Generator, count: int) -> Floats:
    if world.heavy:
        return _USUAL_MS * (0.5 + random.pareto(1.5, count))
    return _USUAL_MS * np.exp(0.6 * random.standard_normal(count))


def _look(story: Story, number: int, part: slice) -> Look:
    node, client, failed = story.node[part], story.client[part], story.failed[part]
    took, canary = story.took_ms[part], node == CANARY
    key = node * 1_000_000 + client
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    hit = np.zeros(len(first), dtype=np.bool_)
    np.logical_or.at(hit, which, story.fails_first[part])
    counts = np.zeros(len(first), dtype=np.bool_)
    np.logical_or.at(counts, which, story.counts[part])
    unit_is_canary = canary[first]
    new = _arm(canary, unit_is_canary, hit)
    old = _arm(~canary, ~unit_is_canary, hit)
    is_warm = number >= WARMUP_LOOKS
    slow: dict[float, tuple[Pair, ...]] = {}
    signs = Signs()
    if is_warm:
        sampled, at, is_new = took[first][counts], first[counts], unit_is_canary[counts]
        slow = {cut: _slow(sampled > limit, is_new) for cut, limit in story.cuts.items()}
        signs = _signs(sampled, at, is_new)
    answered, wrong = int(canary.sum()), int((failed & canary).sum())
    return Look(
        at=number * LOOK_S,
        span_s=LOOK_S,
        errors=Pair(new if is_warm else Arm(), old),
        warming=Arm() if is_warm else new,
        answered=answered,
        failed=wrong,
        answered_old=len(node) - answered,
        failed_old=int(failed.sum()) - wrong,
        slow=slow,
        signs=signs,
        nodes={"node1": (wrong, answered)},
    )


def _arm(requests: Bools, units: Bools, hit: Bools) -> Arm:
    return Arm(int(requests.sum()), int(units.sum()), int((hit & units).sum()))


def _slow(is_slow: Bools, canary: Bools) -> tuple[Pair, ...]:
    new, old = int(canary.sum()), int((~canary).sum())
    return (
        Pair(
            Arm(new, new, int((is_slow & canary).sum())),
            Arm(old, old, int((is_slow & ~canary).sum())),
        ),
    )


def _signs(took: Ints, at: Ints, canary: Bools) -> Signs:
    """Pair each request of the canary with the nearest one of the others, each of those once."""
    order = np.argsort(at)
    took, at, canary = took[order], at[order], canary[order]
    left, left_took = at[~canary].tolist(), took[~canary].tolist()
    slower = faster = 0
    for one, ours in zip(at[canary].tolist(), took[canary].tolist(), strict=True):
        if not left:
            break
        place = bisect_left(left, one)
        if place == len(left) or (place and one - left[place - 1] <= left[place] - one):
            place -= 1
        left.pop(place)
        theirs = left_took.pop(place)
        slower += ours > theirs
        faster += ours < theirs
    return Signs(slower, faster)
