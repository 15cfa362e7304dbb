"""The verdict on a deployment with faults: what must hold at its end in every case. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bigred_broker.messages import Phase
from bigred_server.demo.sample import BuildKind


@dataclass(frozen=True)
class Evidence:
    """A deployment that has ended, as seen from outside.

    `before`, `wanted` and `live`: the version that was live, the one that was deployed, and those
    that are live now according to the journal. `serving`: the release of each node that HAProxy
    sends requests to. `out`: nodes that the deployment skipped or set aside. `killed`: nodes
    killed meanwhile. `failed`: how each failed request ended; `in_flight`: how many may have been
    on a node when it was killed. `journal`: what is wrong with the journal. `asked_back`: a person
    asked for a rollback, which goes back further if the deployment had just ended.
    """

    build: BuildKind
    phase: Phase
    reason: str
    before: str
    wanted: str
    live: tuple[str, ...]
    nodes: tuple[str, ...]
    serving: Mapping[str, str]
    out: frozenset[str] = frozenset()
    killed: frozenset[str] = frozenset()
    failed: tuple[str, ...] = ()
    in_flight: int = 0
    journal: tuple[str, ...] = ()
    asked_back: bool = False


def faults(seen: Evidence) -> list[str]:
    """Name what must not be."""
    return [*_releases(seen), *_nodes(seen), *_requests(seen), *seen.journal]


def _releases(seen: Evidence) -> Iterator[str]:
    if not seen.phase.is_outcome:
        yield f"it is still {seen.phase}"
        return
    if seen.build.is_bad and seen.phase is Phase.SUCCEEDED:
        yield f"a build that {seen.build} was made live"
    if len(seen.live) != 1:
        yield f"the live releases are {', '.join(seen.live) or 'none'}"
    elif seen.phase is not Phase.FAILED and not seen.asked_back:
        live = seen.wanted if seen.phase is Phase.SUCCEEDED else seen.before
        if seen.live[0] != live:
            yield f"it {seen.phase}, and {seen.live[0]} is live instead of {live}"


def _nodes(seen: Evidence) -> Iterator[str]:
    for node in seen.nodes:
        release = seen.serving.get(node)
        if node in seen.killed or node in seen.out or node in seen.reason:
            continue
        if release is None:
            yield f"{node} is not in the pool, and no reason is given"
        elif seen.live and release not in seen.live:
            yield f"{node} serves {release or 'an error'}, live is {', '.join(seen.live)}"


def _requests(seen: Evidence) -> Iterator[str]:
    if len(seen.failed) > seen.in_flight:
        yield (
            f"{len(seen.failed)} requests failed, {seen.in_flight} may have been in flight on a "
            f"killed node: {'; '.join(seen.failed[:5])}"
        )
