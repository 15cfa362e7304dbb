"""The witness of one app: log lines and looks at the fleet come in, looks of the judge go out.

No network in here, and no clock: both are handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # the journal keeps JSON

from bigred_server.haproxy.log import LogLine
from bigred_server.judge.look import Arm, Lines, Look, Pair
from bigred_server.judge.policy import JudgePolicy
from bigred_server.rollout.deployment import Deployment
from bigred_server.rollout.fleet import FleetLook
from bigred_server.rollout.jury import Heard
from bigred_server.rollout.station import is_proven
from bigred_server.rollout.view import is_serving
from bigred_server.witness import comparison
from bigred_server.witness.clients import Clients
from bigred_server.witness.comparison import NodeCounts, Side
from bigred_server.witness.counters import Counting
from bigred_server.witness.usual import Habits, Usual
from bigred_server.witness.window import NodeWindow, Window

_PART_S = 1.0


@dataclass
class Answers:
    """Who answered users in a look: (requests, errors) of new and old release; `nodes` of the new.

    By the release that a node ran when the answer came.
    """

    new: tuple[int, int] = (0, 0)
    old: tuple[int, int] = (0, 0)
    nodes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, is_new: bool | None, server: str, requests: int, errors: int) -> None:
        """Add answers of a server; None for one that ran neither."""
        if is_new is None:
            return
        if is_new:
            self.new = (self.new[0] + requests, self.new[1] + errors)
            bad, asked = self.nodes.get(server, (0, 0))
            self.nodes[server] = (bad + errors, asked + requests)
        else:
            self.old = (self.old[0] + requests, self.old[1] + errors)


@dataclass
class Witness:
    """`servers`: HAProxy's names of the nodes. See `rollout.jury.Witness` for what it is asked."""

    policy: JudgePolicy
    servers: Mapping[str, str]
    habits: Habits = field(default_factory=Habits)
    clients: Clients = field(default_factory=Clients)
    usual: Usual = field(default_factory=Usual)
    _window: Window = field(default_factory=Window)
    _counting: Counting = field(default_factory=Counting)
    _began_at: float | None = None
    _told_at: float = 0.0
    _sides: dict[str, Side | None] = field(default_factory=dict)
    _ready_at: dict[str, float] = field(default_factory=dict)
    _old: set[str] = field(default_factory=set)
    _new: set[str] = field(default_factory=set)
    _runs: dict[str, bool] = field(default_factory=dict)
    _by_log: Answers = field(default_factory=Answers)
    _is_judging: bool = False
    _probes_wanted: bool = False

    def line(self, line: LogLine, came: float) -> None:
        """Take in a line of HAProxy's log."""
        self._window.take(line, came, self.clients)
        self._by_log.add(self._runs.get(line.server), line.server, 1, int(line.failed))
        if not self._is_judging:
            self.habits.take(line)

    def begin(self, kept: Mapping[str, Any] | None) -> dict[str, Any]:
        """Freeze what is usual, or take what was frozen before; give it, to be kept."""
        self.usual = Usual.from_json(kept) if kept else self.habits.frozen()
        self.clients.begin()
        self._ready_at.clear()
        self._is_judging, self._began_at = True, None
        return self.usual.to_json()

    def rest(self, look: FleetLook, now: float) -> None:
        """Take in a look between deployments: what is usual may be learnt from counters alone."""
        self._is_judging = False
        self._counting.see(look)
        if not self._window.taken:
            counts = self._counting.cut().values()
            asked, failed = (sum(getattr(one, n) for one in counts) for n in ("requests", "errors"))
            self.habits.count(now, asked, failed)
        else:
            self._counting.cut()
        self._window = Window()

    def see(
        self, look: FleetLook, deployment: Deployment, now: float, *, last: bool = False
    ) -> Heard | None:
        """Take in a look at the fleet; tell the look so far every second, and when it has ended."""
        self._counting.see(look)
        sides = self._look_at_sides(look, deployment, now)
        if self._began_at is None:
            self._begin_look(sides, now)
            return None
        # Where a node changes sides the look is over: until then it was on the side it was.
        changed = sides != self._sides
        ended = last or changed or now - self._began_at >= self.policy.look_s
        if not ended and now - self._told_at < _PART_S:
            return None
        self._told_at = now
        told = Heard(self._look(now), is_whole=ended, usual=self.usual.errors)
        if ended:
            self._begin_look(sides, now)
        return told

    def probe(self, *, wanted: bool) -> None:
        """Send requests of its own from now on, or no longer."""
        self._probes_wanted = wanted

    def _begin_look(self, sides: dict[str, Side | None], now: float) -> None:
        self._began_at, self._told_at, self._sides = now, now, dict(sides)
        self._window, self._by_log = Window(), Answers()
        self._counting.cut()

    def _look_at_sides(
        self, look: FleetLook, deployment: Deployment, now: float
    ) -> dict[str, Side | None]:
        sides: dict[str, Side | None] = {}
        for name, node in look.nodes.items():
            sides[name] = None
            if is_proven(node, deployment.goal):
                self._new.add(name)
                self._old.discard(name)
                if is_serving(node):
                    ready_at = self._ready_at.setdefault(name, now)
                    is_warm = now - ready_at >= self.policy.warmup_s
                    sides[name] = Side.CANARY if is_warm else Side.WARMING
                    continue
            elif deployment.previous and is_proven(node, deployment.previous):
                self._old.add(name)
                self._new.discard(name)
                if is_serving(node):
                    sides[name] = Side.BASELINE
            self._ready_at.pop(name, None)
        self._runs = {self.servers[name]: True for name in self._new} | {
            self.servers[name]: False for name in self._old
        }
        return sides

    def _look(self, now: float) -> Look:
        counts = self._counting.since()
        exact = sum(one.requests for one in counts.values())
        by_log = self._window.taken > 0 or not exact
        windows = {name: self._window_of(name) for name in self.servers}
        answers = self._by_log if by_log else self._by_counts(counts)
        canary = self._arm(Side.CANARY, counts, by_log=by_log)
        baseline = self._arm(Side.BASELINE, counts, by_log=by_log)
        ours = [one for name in self._of(Side.CANARY) for one in windows[name].samples]
        others = [one for name in self._of(Side.BASELINE) for one in windows[name].samples]
        began_at = self._began_at if self._began_at is not None else now
        return Look(
            at=now,
            span_s=now - began_at,
            errors=Pair(canary, baseline),
            warming=self._arm(Side.WARMING, counts, by_log=by_log),
            answered=answers.new[0],
            failed=answers.new[1],
            answered_old=answers.old[0],
            failed_old=answers.old[1],
            slow=comparison.slow(ours, others, self.usual),
            signs=comparison.signs(ours, others),
            lines=Lines(
                self._window.taken,
                self._window.late,
                self._counting.lost(self._window.taken) if by_log else exact,
            ),
            where=comparison.where(windows, sorted(self._new)),
            nodes={
                name: answers.nodes[server]
                for name, server in self.servers.items()
                if server in answers.nodes
            },
        )

    def _window_of(self, name: str) -> NodeWindow:
        return self._window.nodes.get(self.servers[name], NodeWindow())

    def _of(self, side: Side) -> list[str]:
        return [name for name, one in self._sides.items() if one is side]

    def _arm(self, side: Side, counts: Mapping[str, NodeCounts], *, by_log: bool) -> Arm:
        names = self._of(side)
        if by_log:
            return comparison.arm_of_lines([self._window_of(name) for name in names])
        return comparison.arm_of_counts([counts.get(name, NodeCounts()) for name in names])

    def _by_counts(self, counts: Mapping[str, NodeCounts]) -> Answers:
        answers = Answers()
        for name, one in counts.items():
            server = self.servers[name]
            answers.add(self._runs.get(server), server, one.requests, one.errors)
        return answers
