"""Where one node stands on its way to a goal, told from a look alone."""

from enum import StrEnum

from bigred_server.rollout.core.context_version import newest
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.target import Strategy, Target


class NodePhase(StrEnum):
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
BUILD_PHASES = frozenset(
    {NodePhase.DEPLOYING, NodePhase.STARTING, NodePhase.ADMITTING, NodePhase.CHECKING}
)

_IN_POOL = frozenset({Admin.READY, Admin.MIXED})


def is_proven(look: NodeLook, target: Target) -> bool:
    """Say whether the node runs the goal: by its WAR's bytes and by what the app answers."""
    return (
        look.host.digest == target.digest and look.answer.ok and look.answer.marker == target.marker
    )


def node_phase(look: NodeLook, target: Target, *, drained: bool = False) -> NodePhase:
    """Tell where a node stands; with `drained`, as if no request were in flight any more."""
    if look.pool.admin is Admin.UNKNOWN or look.host.digest is None:
        return NodePhase.UNKNOWN
    if is_proven(look, target):
        return _proven_phase(look)
    if target.strategy is Strategy.PARALLEL:
        return _beside(look, target)
    if look.pool.admin in _IN_POOL:
        return _unproven_in_pool(look, target)
    if look.pool.admin is Admin.DRAIN:
        return NodePhase.DRAINING
    if look.pool.in_flight and not drained:
        return NodePhase.DRAINING
    return _closed(look, target)


def _proven_phase(look: NodeLook) -> NodePhase:
    pool = look.pool
    if pool.admin is Admin.MAINT or (pool.checks_disabled and pool.admin is Admin.DRAIN):
        return NodePhase.ADMITTING
    if pool.admin is not Admin.READY or pool.checks_disabled or not pool.up:
        return NodePhase.CHECKING
    return NodePhase.SERVING


def _unproven_in_pool(look: NodeLook, target: Target) -> NodePhase:
    # The right WAR, running, and HAProxy is content: one lost answer is no reason to take it.
    is_content = look.pool.admin is Admin.READY and look.pool.up and not look.pool.checks_disabled
    if is_content and look.host.digest == target.digest and look.host.running is not False:
        return NodePhase.CHECKING
    return NodePhase.TAKING


def _closed(look: NodeLook, target: Target) -> NodePhase:
    """Where a drained node stands that does not run the goal."""
    if look.host.digest == target.digest:
        return NodePhase.STARTING
    if look.host.running is None:
        return NodePhase.UNKNOWN
    if target.strategy is Strategy.REDEPLOY:
        return NodePhase.DEPLOYING if look.host.running else NodePhase.STARTING
    return NodePhase.STOPPING if look.host.running else NodePhase.SWAPPING


def _beside(look: NodeLook, target: Target) -> NodePhase:
    """Where a node stands whose versions live side by side; it never has to be empty."""
    versions = look.host.versions or ()
    is_there = any(one.running and one.digest == target.digest for one in versions)
    first = newest(versions)
    is_shadowed = is_there and first is not None and first.digest != target.digest
    if look.pool.admin in _IN_POOL and not is_shadowed:
        return _unproven_in_pool(look, target)
    if is_shadowed:
        return NodePhase.SHADOWED
    if look.host.running is None:
        return NodePhase.UNKNOWN
    return NodePhase.STARTING if is_there or not look.host.running else NodePhase.DEPLOYING
