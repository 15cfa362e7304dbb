"""The phase of one node on its way to its target, derived from a look alone."""

from enum import StrEnum

from bigred_server.rollout.core.context_version import newest
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.target import Strategy, Target


class NodePhase(StrEnum):
    """The phases of a safe update, in order; a node goes from PENDING to SERVING.

    Not every strategy has all of them. PENDING: in the pool, not started yet. DEPLOYING: the
    Manager must deploy the release. SHADOWED: the target version runs, but a newer one gets the new
    users. ADMITTING: the app answers as it should, and warm-up and smoke tests are due. CHECKING:
    HAProxy's check must pass.
    """

    UNKNOWN = "unknown"
    PENDING = "pending"
    DRAINING = "draining"
    STOPPING = "stopping"
    SWAPPING = "swapping"
    DEPLOYING = "deploying"
    SHADOWED = "shadowed"
    STARTING = "starting"
    ADMITTING = "admitting"
    CHECKING = "checking"
    SERVING = "serving"


# A node that fails in one of these phases fails because of the build; in an earlier phase, because
# of the node itself.
BUILD_PHASES = frozenset(
    {NodePhase.DEPLOYING, NodePhase.STARTING, NodePhase.ADMITTING, NodePhase.CHECKING}
)

# Nothing is done to a node in these, and it may serve.
SETTLED = frozenset({NodePhase.SERVING, NodePhase.PENDING})

# A node leaves these by itself, without an action.
WAITING = frozenset({NodePhase.DRAINING, NodePhase.STARTING, NodePhase.CHECKING})

_IN_POOL = frozenset({Admin.READY, Admin.MIXED})


def is_proven(look: NodeLook, target: Target) -> bool:
    """Return whether the node runs its target, by its WAR's digest and by the app's answer."""
    return (
        look.host.digest == target.digest and look.answer.ok and look.answer.marker == target.marker
    )


def node_phase(look: NodeLook, target: Target, *, drained: bool = False) -> NodePhase:
    """Return a node's phase; with `drained`, as if no request were in flight."""
    if look.pool.admin is Admin.UNKNOWN or look.host.digest is None:
        return NodePhase.UNKNOWN
    if is_proven(look, target):
        return _proven_phase(look)
    if target.strategy is Strategy.PARALLEL:
        return _parallel_phase(look, target)
    if look.pool.admin in _IN_POOL:
        return _unproven_in_pool(look, target)
    if look.pool.admin is Admin.DRAIN:
        return NodePhase.DRAINING
    if look.pool.in_flight and not drained:
        return NodePhase.DRAINING
    return _closed_phase(look, target)


def _proven_phase(look: NodeLook) -> NodePhase:
    pool = look.pool
    if pool.admin is Admin.MAINT or (pool.checks_disabled and pool.admin is Admin.DRAIN):
        return NodePhase.ADMITTING
    if pool.admin is not Admin.READY or pool.checks_disabled or not pool.up:
        return NodePhase.CHECKING
    return NodePhase.SERVING


def _unproven_in_pool(look: NodeLook, target: Target) -> NodePhase:
    # The right WAR runs and HAProxy's check passes: one lost answer is no reason to take it out.
    passes = look.pool.admin is Admin.READY and look.pool.up and not look.pool.checks_disabled
    if passes and look.host.digest == target.digest and look.host.running is not False:
        return NodePhase.CHECKING
    return NodePhase.PENDING


def _closed_phase(look: NodeLook, target: Target) -> NodePhase:
    """Return the phase of a drained node that does not run its target."""
    if look.host.digest == target.digest:
        return NodePhase.STARTING
    if look.host.running is None:
        return NodePhase.UNKNOWN
    if target.strategy is Strategy.REDEPLOY:
        return NodePhase.DEPLOYING if look.host.running else NodePhase.STARTING
    return NodePhase.STOPPING if look.host.running else NodePhase.SWAPPING


def _parallel_phase(look: NodeLook, target: Target) -> NodePhase:
    """Return the phase of a node whose versions run in parallel; it need not be drained."""
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
