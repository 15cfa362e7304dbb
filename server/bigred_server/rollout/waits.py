"""How long each node stands where it stands: the only memory of the loop, and a harmless one.

Lost in a crash, the clocks start again; nothing but patience depends on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bigred_server.rollout.deployment import Goal
from bigred_server.rollout.look import Looks
from bigred_server.rollout.station import Station, is_proven, station


@dataclass(frozen=True)
class Wait:
    """Since when (monotonic seconds) a node is at a station, and what was tried there.

    `wrong_since_s`: since when the app answers, but not as the wanted release. `failure`: what the
    last act there said when it failed.
    """

    station: Station
    since_s: float
    tries: int = 0
    tried_at_s: float = 0.0
    wrong_since_s: float | None = None
    failure: str = ""


Waits = Mapping[str, Wait]


def track(waits: Waits, looks: Looks, goal: Goal, now_s: float) -> dict[str, Wait]:
    """Bring the clocks up to a new look."""
    return {name: _track(waits.get(name), looks, name, goal, now_s) for name in looks}


def _track(wait: Wait | None, looks: Looks, name: str, goal: Goal, now_s: float) -> Wait:
    look = looks[name]
    here = station(look, goal)
    if wait is None or wait.station is not here:
        wait = Wait(here, now_s)
    if not look.answer.came or look.digest != goal.digest or is_proven(look, goal):
        return replace(wait, wrong_since_s=None)
    return replace(wait, wrong_since_s=wait.wrong_since_s or now_s)


def tried(
    waits: Waits, name: str, begun_at: Station, now_s: float, failure: str
) -> dict[str, Wait]:
    """Note that an act begun at a station ended; `failure` is empty when it went well.

    An act that brought the node to its next station is no try there.
    """
    wait = waits[name]
    if wait.station is not begun_at:
        return dict(waits)
    noted = replace(wait, tries=wait.tries + 1, tried_at_s=now_s, failure=failure)
    return {**waits, name: noted}


def last_change_s(waits: Waits) -> float:
    """Give when (monotonic seconds) any node last changed its station."""
    return max((wait.since_s for wait in waits.values()), default=0.0)
