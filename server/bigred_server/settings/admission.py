"""`[apps.NAME.admission]`: what an updated node must pass before users reach it."""

from typing import Annotated

from pydantic import Field

from bigred_broker.messages import Id
from bigred_broker.settings import Section
from bigred_server.model.marker import Path_, Pointer, Status

JsonScalar = str | bool | int | float


class SmokeSettings(Section):
    """`[apps.NAME.admission.expect.NAME]`: a smoke test, and all that its answer must be."""

    path: Path_
    status: Status | Annotated[tuple[Status, ...], Field(min_length=1)] | None = None
    text: str = ""
    without: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    values: dict[Pointer, JsonScalar] = Field(default_factory=dict)
    limit_s: Annotated[float, Field(gt=0, le=600)] = 10.0


class AdmissionSettings(Section):
    """`[apps.NAME.admission]`."""

    smoke: tuple[Path_, ...] = ()
    warmup: tuple[Path_, ...] = ()
    warmup_requests: Annotated[int, Field(ge=1, le=100_000)] = 200
    warmup_concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    warmup_errors: Annotated[float, Field(ge=0, le=1)] = 0.02
    expect: dict[Id, SmokeSettings] = Field(default_factory=dict)

    @property
    def smoke_tests(self) -> tuple[SmokeSettings, ...]:
        """All smoke tests, first those of a path alone."""
        return (*(SmokeSettings(path=path) for path in self.smoke), *self.expect.values())
