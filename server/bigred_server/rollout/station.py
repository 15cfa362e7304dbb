"""Where one node stands on the safe cycle, told from a look alone."""

from enum import StrEnum

from bigred_server.rollout.goal import Goal
from bigred_server.rollout.look import Admin, NodeLook


class Station(StrEnum):
    """The stations of the safe cycle, in its order; a node goes from TAKING to SERVING."""

    UNKNOWN = "unknown"
    TAKING = "taking"
    DRAINING = "draining"
    STOPPING = "stopping"
    SWAPPING = "swapping"
    STARTING = "starting"
    ADMITTING = "admitting"
    CHECKING = "checking"
    SERVING = "serving"


# A node that fails here fails because of what it runs; before, because of what it is.
BUILD_STATIONS = frozenset({Station.STARTING, Station.ADMITTING, Station.CHECKING})


def is_proven(look: NodeLook, goal: Goal) -> bool:
    """Say whether the node runs the goal: by its WAR's bytes and by what the app answers."""
    return look.digest == goal.digest and look.answer.ok and look.answer.marker == goal.marker


def station(look: NodeLook, goal: Goal, *, drained: bool = False) -> Station:
    """Tell where a node stands; with `drained`, as if no request were in flight any more."""
    if look.admin is Admin.UNKNOWN or look.digest is None:
        return Station.UNKNOWN
    if is_proven(look, goal):
        return _proven_station(look)
    if look.admin is Admin.READY:
        return _unproven_in_pool(look, goal)
    if look.admin is Admin.DRAIN:
        return Station.DRAINING
    if look.in_flight and not drained:
        return Station.DRAINING
    if look.digest == goal.digest:
        return Station.STARTING
    if look.running is None:
        return Station.UNKNOWN
    return Station.STOPPING if look.running else Station.SWAPPING


def _proven_station(look: NodeLook) -> Station:
    if look.admin is Admin.MAINT:
        return Station.ADMITTING
    if look.admin is Admin.DRAIN or not look.up:
        return Station.CHECKING
    return Station.SERVING


def _unproven_in_pool(look: NodeLook, goal: Goal) -> Station:
    # The right WAR, running, and HAProxy is content: one lost answer is no reason to take it.
    if look.digest == goal.digest and look.running is not False and look.up:
        return Station.CHECKING
    return Station.TAKING
