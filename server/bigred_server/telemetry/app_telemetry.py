"""All telemetry of one app: HAProxy's log and counters, JVM vitals, business metrics, probes."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any  # the journal keeps JSON

import httpx2

from bigred_server.fleet.managers import managers_of
from bigred_server.journal.database import Database
from bigred_server.judge.look import Span
from bigred_server.model.log_line import LogLine
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.ports import FleetLook, Observations
from bigred_server.settings import Settings
from bigred_server.telemetry.baseline_store import BaselineStore
from bigred_server.telemetry.core.cohort import Cohort
from bigred_server.telemetry.core.observer import Observer
from bigred_server.telemetry.probes import Probes
from bigred_server.telemetry.series import SeriesWatch
from bigred_server.telemetry.subscriptions import Subscriptions
from bigred_server.telemetry.vitals import VitalsWatch

_ON_NEW = frozenset({Cohort.CANARY, Cohort.WARMING})


@dataclass
class AppTelemetry:
    """All sources of an app; implements the protocol `Telemetry` of `rollout`.

    `served`: requests per node by HAProxy's latest count.
    """

    observer: Observer
    vitals: VitalsWatch
    probes: Probes
    series: SeriesWatch
    served: dict[str, int]
    baseline_store: BaselineStore
    _baseline: dict[str, Span] = field(default_factory=dict)
    _servers: Mapping[tuple[str, str], str] = field(default_factory=dict)

    async def run(self) -> None:
        """Run the periodic work of all sources until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.vitals.run())
            tasks.create_task(self.probes.run())
            tasks.create_task(self.series.run())
            tasks.create_task(self.baseline_store.run())

    def line(self, line: LogLine, came: float) -> None:
        """Process a line of HAProxy's log that arrived at `came` (Unix time)."""
        # The same Tomcat may have another name in each of the app's backends.
        server = self._servers.get((line.backend, line.server), line.server)
        known = line if server == line.server else replace(line, server=server)
        self.observer.line(known, came)
        self.probes.pages.add(line)

    def rest(self, look: FleetLook, now: float) -> None:
        """Process a look between deployments."""
        self.vitals.wanted = self.probes.wanted = False
        self.series.began_at = None
        self._count(look)
        self.observer.rest(look, now)

    def begin(self, kept: Mapping[str, Any] | None) -> dict[str, Any]:
        """Begin or resume a deployment; return the baseline, to be stored."""
        self.vitals.wanted = True
        # Another server may have led this deployment before and stored more spans.
        self.baseline_store.stale = True
        self._baseline.clear()
        self.series.began_at = time.time()
        return self.observer.begin(kept)

    def see(
        self, look: FleetLook, deployment: Deployment, now: float, *, last: bool = False
    ) -> Observations | None:
        """Process a look at the fleet; return the observations of all sources."""
        self._count(look)
        cohorts = dict(self.observer.cohorts)
        observed = self.observer.see(look, deployment, now, last=last)
        self.probes.canaries = [n for n, cohort in cohorts.items() if cohort in _ON_NEW]
        self.probes.baselines = [n for n, cohort in cohorts.items() if cohort is Cohort.BASELINE]
        if observed is None or not observed.is_whole:
            return observed
        spans, reference = self._spans(cohorts, deployment)
        pair, signs = self.probes.collect()
        look_with_probes = replace(observed.look, probes=pair, probe_signs=signs)
        bins = self.series.collect()
        # While nodes still serve the old release, they mask the new one's effect on the business.
        bins = [] if self.probes.baselines or not self.probes.canaries else bins
        return replace(observed, look=look_with_probes, spans=spans, reference=reference, bins=bins)

    def probe(self, *, wanted: bool) -> None:
        """Start or stop sending probe requests."""
        self.probes.wanted = wanted

    def _count(self, look: FleetLook) -> None:
        self.served.update({name: one.requests for name, one in look.served.items()})
        self._servers = look.servers or self._servers

    def _spans(
        self, cohorts: Mapping[str, Cohort | None], deployment: Deployment
    ) -> tuple[list[Span], list[Span]]:
        """Return the new spans of nodes on the new release, and the reference spans.

        The reference is nodes of the same age on the old release if such spans are known, and else
        the nodes that run the old release now.
        """
        ours: list[Span] = []
        for name, spans in self.vitals.collect().items():
            cohort = cohorts.get(name)
            if cohort in _ON_NEW:
                self.baseline_store.add(deployment.target.digest, spans)
            if cohort is Cohort.CANARY:
                ours += spans
            if cohort is Cohort.WARMING:
                ours += [replace(one, warming=True) for one in spans]
            if cohort is Cohort.BASELINE:
                self._baseline[name] = spans[-1]
        old = deployment.previous.digest if deployment.previous else ""
        young = [span for one in ours for span in self.baseline_store.ages.like(old, one)]
        return ours, young or list(self._baseline.values())


def telemetry_of(
    name: str, settings: Settings, db: Database, http: httpx2.AsyncClient
) -> AppTelemetry:
    """Create the telemetry of an app."""
    app = settings.fleets[name]
    served: dict[str, int] = {}
    servers = {node: app.server_of(node) for node in app.nodes}
    probes = app.judge.probes
    urls = {node: one.url for node, one in app.nodes.items()}
    managers = managers_of(http, app, settings.context_of(name))
    client = f"{settings.server.name}-{name}-series"
    watch = VitalsWatch(managers, app.judge.guards.every_s, lambda: served)
    return AppTelemetry(
        Observer(app.judge_policy(), servers),
        watch,
        Probes(http, urls, probes.per_s, probes.paths, probes.learn),
        SeriesWatch(name, app.series, db, http, Subscriptions(settings.broker, client, app.series)),
        served,
        BaselineStore(name, db),
    )
