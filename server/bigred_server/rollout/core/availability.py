"""Whether the users of every backend keep enough nodes while some are out. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.observation import Admin, Looks, NodeLook, ServerRole
from bigred_server.rollout.core.policy import Policy

# For each backend that is not the app's, the servers there that are the app's Tomcats; without
# servers, a backend that should be the app's and has none of its Tomcats.
Sharing = Mapping[str, tuple[str, ...]]


def is_serving(look: NodeLook) -> bool:
    """Return whether HAProxy sends requests to the node, or would if the active ones were down."""
    return look.pool.admin is Admin.READY and look.pool.up


def counts(look: NodeLook) -> bool:
    """Return whether a node counts for `min_healthy`: it serves and gets its share of all users."""
    return is_serving(look) and look.pool.role is ServerRole.ACTIVE


def min_healthy(looks: Looks, policy: Policy) -> int:
    """Return how many active nodes must stay up.

    Other nodes don't count: where there are some, all active nodes but one are the most that can be
    required.
    """
    number = active(looks)
    return (
        policy.min_healthy if number == len(looks) else min(policy.min_healthy, max(0, number - 1))
    )


def active(looks: Looks) -> int:
    """Return how many nodes get their share of all users while they are up."""
    return sum(look.pool.role is ServerRole.ACTIVE for look in looks.values())


def suffice(
    others: Sequence[NodeLook], gone: Collection[str], looks: Looks, policy: Policy
) -> bool:
    """Return whether the `others` suffice for the users of every backend while some are `gone`."""
    needed = min_healthy(looks, policy)
    if sum(map(counts, others)) < needed:
        return False
    if policy.min_healthy and all(look.pool.role is ServerRole.UNWEIGHTED for look in others):
        return False
    return all(
        _serving(others, backend) >= _needed(looks, backend, needed, policy)
        for backend in _partial(looks)
        if any(looks[name].pool.backends.get(backend) for name in gone)
    )


def obstacle(looks: Looks, sharing: Sharing, policy: Policy) -> str:
    """Return why no deployment may begin, whatever its release: "" if nothing prevents it.

    Either users come by a backend that is not the app's, or a backend has too few of the nodes.
    """
    if sharing:
        return sentences.shared(sharing)
    needed = min_healthy(looks, policy)
    serving = [look for look in looks.values() if is_serving(look)]
    for backend in _partial(looks):
        found = _serving(serving, backend)
        if found and found - 1 < _needed(looks, backend, needed, policy):
            return sentences.too_few_in(backend, found)
    if active(looks) == len(looks):
        return ""
    # Nodes that get no share of the users may be unable to stand in for the others.
    if not all(_can_go(look, serving, looks, policy) for look in serving):
        return sentences.nobody_stands_in(sum(map(counts, serving)))
    return ""


def _can_go(look: NodeLook, serving: Sequence[NodeLook], looks: Looks, policy: Policy) -> bool:
    others = [one for one in serving if one is not look]
    return suffice(others, [look.name], looks, policy)


def _partial(looks: Looks) -> Iterator[str]:
    """Give the backends that have some of the nodes, but not all."""
    backends = dict.fromkeys(name for look in looks.values() for name in look.pool.backends)
    for backend in backends:
        if any(backend not in look.pool.backends for look in looks.values()):
            yield backend


def _serving(looks: Sequence[NodeLook], backend: str) -> int:
    return sum(look.pool.backends.get(backend, False) for look in looks)


def _needed(looks: Looks, backend: str, needed: int, policy: Policy) -> int:
    elsewhere = sum(backend not in look.pool.backends for look in looks.values())
    return max(min(1, policy.min_healthy), needed - elsewhere)
