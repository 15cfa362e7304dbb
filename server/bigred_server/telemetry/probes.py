"""Paired requests of our own: the same page asked of the new and of the old release, in turns."""

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
_IDLE_S = 0.2
_REMEMBERED = 2000
_OFTEN = 3
_MOST_PATHS = 20
_SAID = {"X-Bigred-Probe": "1"}


@dataclass
class Pages:
    """Learns which pages can be asked for: GETs that users often made, and that went well."""

    _seen: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def take(self, line: LogLine) -> None:
        """Learn from a line of HAProxy's log."""
        if line.method == "GET" and line.status == httpx2.codes.OK:
            self._seen.append((line.path, line.client))

    def known(self) -> list[str]:
        """Give the pages that several users asked for, the most frequent first."""
        often = Counter(path for path, _ in self._seen)
        clients = Counter(path for path, _ in set(self._seen))
        found = [path for path, times in often.most_common() if times >= _OFTEN]
        return [path for path in found if clients[path] > 1][:_MOST_PATHS]


@dataclass
class Probes:
    """Sends up to `per_s` pairs a second while it is `wanted`, to nodes at `urls`, past HAProxy.

    `canaries` and `baselines`: the nodes to be asked. `paths`: what is asked, else what was learnt.
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
            paths = self.paths or (tuple(self.pages.known()) if self.learns else ())
            if not (self.wanted and self.canaries and paths):
                await asyncio.sleep(_IDLE_S)
                continue
            begun_s = time.monotonic()
            turn = next(self._turn)
            await self._ask_both(paths[turn % len(paths)], turn)
            await asyncio.sleep(max(0.0, 1 / self.per_s - (time.monotonic() - begun_s)))

    async def _ask_both(self, path: str, turn: int) -> None:
        canary = self.canaries[turn % len(self.canaries)]
        others = self.baselines
        nodes = [canary, others[turn % len(others)]] if others else [canary]
        # Who is asked first may pay for what the other one finds warm.
        order = nodes if turn % 2 else nodes[::-1]
        took = {node: await self._ask(node, path) for node in order}
        arms = [Arm(1, 1, int(took[node] is None)) for node in nodes]
        old = arms[1] if others else Arm()
        self._pair = Pair(self._pair.canary + arms[0], self._pair.baseline + old)
        new_s, old_s = took[canary], took[nodes[-1]]
        if others and new_s is not None and old_s is not None:
            slower, faster = int(new_s > old_s), int(new_s < old_s)
            self._signs = Signs(self._signs.slower + slower, self._signs.faster + faster)

    async def _ask(self, node: str, path: str) -> float | None:
        """Ask one node; give the seconds, None for an error."""
        begun_s = time.monotonic()
        try:
            async with asyncio.timeout(_DEADLINE_S):
                answer = await self.http.get(f"{self.urls[node]}{path}", headers=_SAID)
        except (httpx2.HTTPError, TimeoutError):
            return None
        if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
            return None
        return time.monotonic() - begun_s

    def take(self) -> tuple[Pair, Signs]:
        """Give what was seen since the last time."""
        taken = self._pair, self._signs
        self._pair, self._signs = Pair(), Signs()
        return taken
