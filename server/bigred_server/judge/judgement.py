"""A judgement: the verdict, its cause, and every number behind it."""

from dataclasses import dataclass, field
from enum import StrEnum

from bigred_server.model.verdict import Verdict


class Cause(StrEnum):
    """What a verdict is based on.

    BUILD: the new release does worse than the old one, or is the only one to judge. ENVIRONMENT:
    it fails too often, but not clearly more often than the old one. GUARD: its use of machine
    resources. BUSINESS: a business metric.
    """

    NONE = "none"
    BUILD = "build"
    ENVIRONMENT = "environment"
    GUARD = "guard"
    BUSINESS = "business"


@dataclass(frozen=True)
class Judgement:
    """The judge's result after a look.

    `reason`: a clause that can follow the release's name ("failed 11 of 60 requests on node1 ...").
    `relative`, `absolute`, `errors`, `tail`, `shift`, `series`: e-values, 1 without any data.
    `requests` and `failed` count the new release's requests, `requests_old` and `failed_old` those
    of the old one in the same time; `retried` and `retried_old` those that HAProxy retried.
    `smallest`: the smallest share of failing requests that this traffic would have revealed with
    95 % power, None if none would; `smallest_slow`: likewise for requests slower than nine in ten
    were before.
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
