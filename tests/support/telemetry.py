"""Telemetry that returns the looks it was given."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from bigred_server.judge.look import Look
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.ports import FleetLook, Observations


@dataclass
class FakeTelemetry:
    """Returns the looks of `tells` one after the other, then none."""

    tells: deque[Look] = field(default_factory=deque)
    begun: list[Any] = field(default_factory=list)
    probing: bool = False

    def rest(self, look: FleetLook, now: float) -> None:
        """Do nothing."""

    def begin(self, kept: dict[str, Any] | None) -> dict[str, Any]:
        self.begun.append(kept)
        return kept or {"errors": 0.0}

    def see(
        self, look: FleetLook, deployment: Deployment, now: float, *, last: bool = False
    ) -> Observations | None:
        return Observations(self.tells.popleft()) if self.tells else None

    def probe(self, *, wanted: bool) -> None:
        self.probing = wanted
