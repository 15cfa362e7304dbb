"""`[apps.NAME.judge]`: what the immune system may do, and when it speaks."""

from typing import Annotated

from pydantic import Field, model_validator

from bigred_broker.settings import Section
from bigred_server.artifacts.marker import Path_
from bigred_server.judge.policy import GuardPolicy, Inconclusive, JudgePolicy, Mode
from bigred_server.settings.deadlines import Seconds

Times = Annotated[float, Field(gt=1, le=1000)]
Share = Annotated[float, Field(gt=0, le=1)]
Bar = Annotated[float, Field(gt=1, le=1e9)]


class GuardSettings(Section):
    """`[apps.NAME.judge.guards]`: what a node may use, beside nodes on the old release."""

    cpu_times: Times = GuardPolicy.cpu_times
    heap_times: Times = GuardPolicy.heap_times
    threads_times: Times = GuardPolicy.threads_times
    gc_share: Share = GuardPolicy.gc_share
    heap_share: Share = GuardPolicy.heap_share
    threads_most: Annotated[int, Field(ge=1)] = GuardPolicy.threads_most
    every_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    hits: Annotated[int, Field(ge=1, le=100)] = GuardPolicy.hits
    windows: Annotated[int, Field(ge=1, le=100)] = GuardPolicy.windows

    @model_validator(mode="after")
    def _has_windows_enough(self) -> "GuardSettings":
        if self.hits > self.windows:
            raise ValueError("hits can't be more than windows")
        return self


class ProbeSettings(Section):
    """`[apps.NAME.judge.probes]`: requests of its own, where there is too little traffic."""

    paths: tuple[Path_, ...] = ()
    learn: bool = True
    per_s: Annotated[float, Field(gt=0, le=20)] = 2.0


class JudgeSettings(Section):
    """`[apps.NAME.judge]`; its defaults are the policy's."""

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
    def _holds_before_it_goes_back(self) -> "JudgeSettings":
        if self.hold_at > self.rollback_at:
            raise ValueError("hold_at can't be more than rollback_at")
        return self

    def policy(self) -> JudgePolicy:
        """Give the judge's policy."""
        told = self.model_dump(exclude={"guards", "probes"})
        guards = GuardPolicy(**self.guards.model_dump(exclude={"every_s"}))
        return JudgePolicy(guards=guards, **told)
