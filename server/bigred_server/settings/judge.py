"""`[apps.NAME.judge]`: what the judge may do, and when it reaches a verdict."""

from typing import Annotated

from pydantic import Field, model_validator

from bigred_broker.settings import Section
from bigred_server.judge.policy import GuardPolicy, Inconclusive, JudgePolicy, Mode
from bigred_server.model.marker import Path_
from bigred_server.settings.deadlines import Seconds

Factor = Annotated[float, Field(gt=1, le=1000)]
Share = Annotated[float, Field(gt=0, le=1)]
Bar = Annotated[float, Field(gt=1, le=1e9)]


class GuardSettings(Section):
    """`[apps.NAME.judge.guards]`: what a node may use, compared with the old release."""

    cpu_times: Factor = GuardPolicy.cpu_times
    heap_times: Factor = GuardPolicy.heap_times
    threads_times: Factor = GuardPolicy.threads_times
    gc_share: Share = GuardPolicy.gc_share
    heap_share: Share = GuardPolicy.heap_share
    threads_most: Annotated[int, Field(ge=1)] = GuardPolicy.threads_most
    every_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    hits: Annotated[int, Field(ge=1, le=100)] = GuardPolicy.hits
    windows: Annotated[int, Field(ge=1, le=100)] = GuardPolicy.windows

    @model_validator(mode="after")
    def _has_enough_windows(self) -> "GuardSettings":
        if self.hits > self.windows:
            raise ValueError("hits can't be greater than windows")
        return self


class ProbeSettings(Section):
    """`[apps.NAME.judge.probes]`: the judge's own requests when there is too little traffic."""

    paths: tuple[Path_, ...] = ()
    learn: bool = True
    per_s: Annotated[float, Field(gt=0, le=20)] = 2.0


class JudgeSettings(Section):
    """`[apps.NAME.judge]`; the policy has the defaults."""

    mode: Mode = JudgePolicy.mode
    inconclusive: Inconclusive = JudgePolicy.inconclusive
    extend_s: Seconds = JudgePolicy.extend_s
    look_s: Annotated[float, Field(ge=0.5, le=60)] = JudgePolicy.look_s
    warmup_s: Seconds = JudgePolicy.warmup_s
    warmup_bar: Annotated[float, Field(ge=1, le=100)] = JudgePolicy.warmup_bar
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = JudgePolicy.min_requests
    rollback_at: Bar = JudgePolicy.rollback_at
    hold_at: Bar = JudgePolicy.hold_at
    hold_s: Seconds = JudgePolicy.hold_s
    odds: Annotated[float, Field(ge=1, le=100)] = JudgePolicy.odds
    ceiling: Annotated[float, Field(gt=0, lt=1)] = JudgePolicy.ceiling
    ceiling_times: Annotated[float, Field(ge=1, le=100)] = JudgePolicy.ceiling_times
    guards: GuardSettings = GuardSettings()
    probes: ProbeSettings = ProbeSettings()

    @model_validator(mode="after")
    def _holds_before_it_rolls_back(self) -> "JudgeSettings":
        if self.hold_at > self.rollback_at:
            raise ValueError("hold_at can't be greater than rollback_at")
        return self

    def policy(self) -> JudgePolicy:
        """Return the judge's policy, without the app's series."""
        values = self.model_dump(exclude={"guards", "probes"})
        guards = GuardPolicy(**self.guards.model_dump(exclude={"every_s"}))
        return JudgePolicy(guards=guards, **values)
