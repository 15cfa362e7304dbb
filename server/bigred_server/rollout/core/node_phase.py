"""Where one node stands on its way to a goal, told from a look alone."""

from enum import StrEnum

from bigred_server.rollout.core.context_version import newest
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.target import Goal, Strategy


class Station(StrEnum):
    """The stations of the safe cycle, in its order; a node goes from TAKING to SERVING.

    Not every strategy has all of them. DEPLOYING: the Manager's turn. SHADOWED: the wanted version
    is there, and a newer one is in front of it.
    """

    UNKNOWN = "unknown"
    TAKING = "taking"
    DRAINING = "draining"
    STOPPING = "stopping"
    SWAPPING = "swapping"
    DEPLOYING = "deploying"
    SHADOWED = "shadowed"
    STARTING = "starting"
    ADMITTING = "admitting"
    CHECKING = "checking"
    SERVING = "serving"


# A node that fails here fails because of what it runs; before, because of what it is.
BUILD_STATIONS = frozenset(
    {Station.DEPLOYING, Station.STARTING, Station.ADMITTING, Station.CHECKING}
)

_IN_POOL = frozenset({Admin.READY, Admin.MIXED})


def is_proven(look: NodeLook, goal: Goal) -> bool:
    """Say whether the node runs the goal: by its WAR's bytes and by what the app answers."""
    return look.digest == goal.digest and look.answer.ok and look.answer.marker == goal.marker


def station(look: NodeLook, goal: Goal, *, drained: bool = False) -> Station:
    """Tell where a node stands; with `drained`, as if no request were in flight any more."""
    if look.admin is Admin.UNKNOWN or look.digest is None:
        return Station.UNKNOWN
    if is_proven(look, goal):
        return _proven_station(look)
    if goal.strategy is Strategy.PARALLEL:
        return _beside(look, goal)
    if look.admin in _IN_POOL:
        return _unproven_in_pool(look, goal)
    if look.admin is Admin.DRAIN:
        return Station.DRAINING
    if look.in_flight and not drained:
        return Station.DRAINING
    return _closed(look, goal)


def _proven_station(look: NodeLook) -> Station:
    if look.admin is Admin.MAINT or (look.hushed and look.admin is Admin.DRAIN):
        return Station.ADMITTING
    if look.admin is not Admin.READY or look.hushed or not look.up:
        return Station.CHECKING
    return Station.SERVING


def _unproven_in_pool(look: NodeLook, goal: Goal) -> Station:
    # The right WAR, running, and HAProxy is content: one lost answer is no reason to take it.
    is_content = look.admin is Admin.READY and look.up and not look.hushed
    if is_content and look.digest == goal.digest and look.running is not False:
        return Station.CHECKING
    return Station.TAKING


def _closed(look: NodeLook, goal: Goal) -> Station:
    """Where a drained node stands that does not run the goal."""
    if look.digest == goal.digest:
        return Station.STARTING
    if look.running is None:
        return Station.UNKNOWN
    if goal.strategy is Strategy.REDEPLOY:
        return Station.DEPLOYING if look.running else Station.STARTING
    return Station.STOPPING if look.running else Station.SWAPPING


def _beside(look: NodeLook, goal: Goal) -> Station:
    """Where a node stands whose versions live side by side; it never has to be empty."""
    versions = look.versions or ()
    is_there = any(one.running and one.digest == goal.digest for one in versions)
    first = newest(versions)
    is_shadowed = is_there and first is not None and first.digest != goal.digest
    if look.admin in _IN_POOL and not is_shadowed:
        return _unproven_in_pool(look, goal)
    if is_shadowed:
        return Station.SHADOWED
    if look.running is None:
        return Station.UNKNOWN
    return Station.STARTING if is_there or not look.running else Station.DEPLOYING
