"""A site on which Bigred and its peers deploy in turn, under a light load.

Bigred's server runs only while it deploys. Its peers deploy the release that is live already, so
that Bigred finds its site as it left it: for a node it is the same work.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

from tests.support import ancestor
from tests.support.by_hand import ByHand
from tests.support.rig import Rig, rig, wait_rarely
from tests.support.roll_cases import SLOW_S, RollCase, Way
from tests.support.roll_table import RollRun

from bigred_server.demo import request_log
from bigred_server.demo.demo_site import FIRST
from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.options import DemoOptions
from bigred_server.rollout.core.policy import Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.tomcat import class_data

_DEADLINE_S = 240.0
# A server that has just started is still reading about its site.
_SETTLED_S = 2.0
_WARMUP = 'warmup = ["/shop/"]\n'
# For the Manager; sorts after each version that Bigred makes, so that Tomcat prefers it.
BESIDE = "zzz"

Peer = Callable[["RollSite"], None]


@dataclass
class RollSite:
    """A site, the version that is live, and the load."""

    case: RollCase
    rig: Rig
    rate: float
    slow_per_node: int
    version: str = FIRST
    number: int = 0

    def measured(self, way: Way, peers: Mapping[Way, Peer]) -> RollRun:
        """Deploy once, and return what it took and what customers saw.

        Raises ProgramError, OSError or AssertionError if it does not succeed.
        """
        self.number += 1
        if way.is_ours:
            self._serve(warm=way is Way.BIGRED)
            version = f"{self.number + 1}.0.0"
            self.rig.submit(version)
            seconds, samples = self._under_load(partial(self._bigred, version))
            self.version = version
            self.rig.stop()
        else:
            with self._haproxy_of(way):
                seconds, samples = self._under_load(partial(self._peer, peers[way]))
            self._tidy()
        counts = request_log.counts(samples)
        latency = request_log.latency(samples)
        longest_s = latency["max"] / 1000 if latency else 0.0
        return RollRun(self.case, way, seconds, counts.requests, counts.failed, longest_s)

    def by_hand(self) -> ByHand:
        """Return the script of a careful person for this site."""
        site = self.rig.demo_site
        return ByHand(site.haproxy, site.nodes, self.war, self.version)

    @property
    def war(self) -> Path:
        """The WAR that is live."""
        return self.rig.demo_site.build(self.version)

    def _serve(self, *, warm: bool) -> None:
        config = self.rig.demo_site.config
        text = config.read_text().replace(_WARMUP, "")
        table = "[apps.shop.admission]\n"
        config.write_text(text.replace(table, f"{table}{_WARMUP}" if warm else table))
        self.rig.start()

    def _bigred(self, version: str) -> float:
        deployment = self.rig.bigred("deploy", version, "--no-wait").split()[1]
        self.rig.succeeds(deployment, _DEADLINE_S)
        row = self.rig.journal.deployment(deployment)
        assert row.ended_at is not None
        return row.ended_at - row.started_at

    def _peer(self, go: Peer) -> float:
        begun_s = time.monotonic()
        go(self)
        took_s = time.monotonic() - begun_s
        self.rig.until_serving(self.version, _DEADLINE_S)
        return took_s

    @contextlib.contextmanager
    def _haproxy_of(self, way: Way) -> Iterator[None]:
        if way is Way.ANCESTOR:
            ancestor.plain(self.rig.demo_site.haproxy)
        yield
        if way is Way.ANCESTOR:
            self.rig.demo_site.haproxy.reload()

    def _tidy(self) -> None:
        if self.case.strategy is Strategy.PARALLEL:
            for name in self.rig.demo_site.nodes:
                self.by_hand().undeploy(name, BESIDE)

    def _under_load(
        self, deploy: Callable[[], float]
    ) -> tuple[float, list[request_log.RequestSample]]:
        slow = self.slow_per_node * self.case.nodes if self.case.slow else 0
        options = LoadOptions(self.rate, slow=slow, slowest_ms=int(1000 * SLOW_S))
        site = self.rig.demo_site
        with shopping(site.folder, site.url, options, f"load-{self.number}") as load:
            settled_s = time.monotonic() + (SLOW_S if slow else _SETTLED_S)
            wait_rarely(lambda: time.monotonic() > settled_s, 20, "the load has settled")
            seconds = deploy()
        return seconds, load.seen()


@contextlib.contextmanager
def roll_site(case: RollCase, rate: float, slow_per_node: int) -> Iterator[RollSite]:
    """Set up a site for a case; no server of Bigred's runs there yet."""
    sessions = Sessions.PARALLEL if case.strategy is Strategy.PARALLEL else Sessions.MOVE
    # A real Tomcat has no class-data archive, and takes longer to start.
    with (
        mock.patch.object(class_data, "option", return_value=""),
        rig(case.nodes, DemoOptions(strategy=case.strategy, sessions=sessions)) as made,
    ):
        made.stop()
        yield RollSite(case, made, rate, slow_per_node)
