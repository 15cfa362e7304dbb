"""The plain counts behind a judgement, which people can check by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.judge.look import Look

_MOST_GROUPS = 100


@dataclass(frozen=True)
class Tally:
    """Counts over all looks of a deployment.

    `requests`: those that the new release answered, `failed` of them with an error; `requests_old`
    and `failed_old`: likewise for the old release. `where`: the new release's errors by path group;
    `nodes`: (errors, requests) by node. `probes`: synthetic requests to the new release, of which
    `probes_failed` failed. `slow`: for each cut (the share of requests that used to be faster), the
    new release's slower requests and all its requests, then the same two for the old release.
    `retried`: requests that failed on the new release and that HAProxy then retried, unseen by
    users; `retried_old`: on the old release. `lines`, `late`, `lost`: see `LogCounts`.
    """

    requests: int = 0
    failed: int = 0
    requests_old: int = 0
    failed_old: int = 0
    retried: int = 0
    retried_old: int = 0
    probes: int = 0
    probes_failed: int = 0
    slow: Mapping[float, tuple[int, int, int, int]] = field(default_factory=dict)
    where: Mapping[str, int] = field(default_factory=dict)
    nodes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    lines: int = 0
    late: int = 0
    lost: int = 0


def add_look(tally: Tally, look: Look) -> Tally:
    """Return the tally with a look added."""
    where = dict(tally.where)
    for group, errors in look.where.items():
        if group in where or len(where) < _MOST_GROUPS:
            where[group] = where.get(group, 0) + errors
    nodes = {name: (int(errors), int(asked)) for name, (errors, asked) in tally.nodes.items()}
    for name, (errors, asked) in look.nodes.items():
        before = nodes.get(name, (0, 0))
        nodes[name] = (before[0] + errors, before[1] + asked)
    return Tally(
        requests=tally.requests + look.answered,
        failed=tally.failed + look.failed,
        requests_old=tally.requests_old + look.answered_old,
        failed_old=tally.failed_old + look.failed_old,
        retried=tally.retried + look.retried,
        retried_old=tally.retried_old + look.retried_old,
        probes=tally.probes + look.probes.canary.requests,
        probes_failed=tally.probes_failed + look.probes.canary.hits,
        slow=_slow(tally, look),
        where=where,
        nodes=nodes,
        lines=tally.lines + look.lines.received,
        late=tally.late + look.lines.late,
        lost=tally.lost + look.lines.lost,
    )


def _slow(tally: Tally, look: Look) -> dict[float, tuple[int, int, int, int]]:
    slow = dict(tally.slow)
    for cut, pairs in look.slow.items():
        ours, asked, theirs, asked_old = slow.get(cut, (0, 0, 0, 0))
        slow[cut] = (
            ours + sum(pair.canary.hits for pair in pairs),
            asked + sum(pair.canary.units for pair in pairs),
            theirs + sum(pair.baseline.hits for pair in pairs),
            asked_old + sum(pair.baseline.units for pair in pairs),
        )
    return slow
