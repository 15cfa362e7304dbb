"""A judgement: the verdict, what it is about, and every number that led to it."""

from dataclasses import dataclass, field
from enum import StrEnum

from bigred_server.model.verdict import Verdict


class Cause(StrEnum):
    """What a verdict is about.

    BUILD: the new release, beside the old one. ENVIRONMENT: everything is bad. GUARD: what it uses
    of the machine. BUSINESS: what people do with it.
    """

    NONE = "none"
    BUILD = "build"
    ENVIRONMENT = "environment"
    GUARD = "guard"
    BUSINESS = "business"


@dataclass(frozen=True)
class Judgement:
    """What the judge says after a look.

    `reason`: a clause that can follow the release's name ("failed 11 of 60 requests on node1 ...").
    `relative`, `absolute`, `errors`, `tail`, `shift`, `series`: e-values, 1 when nothing was seen.
    `requests` and `failed` are the new release's, `requests_old` and `failed_old` the old one's
    meanwhile; `retried` and `retried_old` those that HAProxy saved by trying again.
    `smallest`: the smallest share of failing requests that would have been caught with 95 % power
    in what was seen, None when nothing would; `smallest_slow`: likewise the share of requests
    slower than nine of ten were before.
    """

    verdict: Verdict
    cause: Cause = Cause.NONE
    reason: str = ""
    relative: float = 1.0
    absolute: float = 1.0
    errors: float = 1.0
    tail: float = 1.0
    shift: float = 1.0
    series: dict[str, float] = field(default_factory=dict)
    guards: tuple[str, ...] = ()
    requests: int = 0
    failed: int = 0
    requests_old: int = 0
    failed_old: int = 0
    retried: int = 0
    retried_old: int = 0
    smallest: float | None = None
    smallest_slow: float | None = None
    lines: int = 0
    late: int = 0
    lost: int = 0
