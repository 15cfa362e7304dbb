"""Probes: the same page requested from the new and the old release, in paired requests."""

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2

from bigred_server.judge.look import Arm, Pair, Signs
from bigred_server.model.log_line import LogLine

_DEADLINE_S = 5.0
_IDLE_S = 0.5
_REMEMBERED = 2000
_OFTEN = 3
_MOST_PATHS = 20
_HEADERS = {"X-Bigred-Probe": "1"}


@dataclass
class Pages:
    """Learns which pages can be probed: those that users often GET with success."""

    _seen: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def add(self, line: LogLine) -> None:
        """Learn from a line of HAProxy's log."""
        if line.method == "GET" and line.status == httpx2.codes.OK:
            self._seen.append((line.path, line.client))

    def known(self) -> list[str]:
        """Return the pages that several users requested, the most frequent first."""
        often = Counter(path for path, _ in self._seen)
        clients = Counter(path for path, _ in set(self._seen))
        found = [path for path, times in often.most_common() if times >= _OFTEN]
        return [path for path in found if clients[path] > 1][:_MOST_PATHS]


@dataclass
class Probes:
    """Sends up to `per_s` pairs per second while `wanted`, directly to the nodes at `urls`.

    `canaries` and `baselines`: the nodes to probe. `paths`: the pages to request; if empty, and if
    it `learns`, those that users request.
    """

    http: httpx2.AsyncClient
    urls: Mapping[str, str]
    per_s: float
    paths: tuple[str, ...] = ()
    learns: bool = True
    pages: Pages = field(default_factory=Pages)
    wanted: bool = False
    canaries: list[str] = field(default_factory=list)
    baselines: list[str] = field(default_factory=list)
    _pair: Pair = field(default_factory=Pair)
    _signs: Signs = field(default_factory=Signs)
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            paths = self._pages() if self.wanted and self.canaries else ()
            if not paths:
                await asyncio.sleep(_IDLE_S)
                continue
            begun_s = time.monotonic()
            turn = next(self._turn)
            await self._probe_both(paths[turn % len(paths)], turn)
            await asyncio.sleep(max(0.0, 1 / self.per_s - (time.monotonic() - begun_s)))

    def _pages(self) -> tuple[str, ...]:
        return self.paths or (tuple(self.pages.known()) if self.learns else ())

    async def _probe_both(self, path: str, turn: int) -> None:
        canary = self.canaries[turn % len(self.canaries)]
        others = self.baselines
        nodes = [canary, others[turn % len(others)]] if others else [canary]
        # The first of the two requests may warm up caches for the second one.
        order = nodes if turn % 2 else nodes[::-1]
        took = {node: await self._probe(node, path) for node in order}
        arms = [Arm(1, 1, int(took[node] is None)) for node in nodes]
        old = arms[1] if others else Arm()
        self._pair = Pair(self._pair.canary + arms[0], self._pair.baseline + old)
        new_s, old_s = took[canary], took[nodes[-1]]
        if others and new_s is not None and old_s is not None:
            slower, faster = int(new_s > old_s), int(new_s < old_s)
            self._signs = Signs(self._signs.slower + slower, self._signs.faster + faster)

    async def _probe(self, node: str, path: str) -> float | None:
        """Request a page from one node; return the seconds it took, None for an error."""
        begun_s = time.monotonic()
        try:
            async with asyncio.timeout(_DEADLINE_S):
                answer = await self.http.get(f"{self.urls[node]}{path}", headers=_HEADERS)
        except (httpx2.HTTPError, TimeoutError):
            return None
        if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
            return None
        return time.monotonic() - begun_s

    def collect(self) -> tuple[Pair, Signs]:
        """Return the results since the last call."""
        results = self._pair, self._signs
        self._pair, self._signs = Pair(), Signs()
        return results
