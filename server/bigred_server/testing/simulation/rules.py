"""The rules that a rollout must never break, checked against the fleet's real state."""

from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.observation import Admin
from bigred_server.rollout.core.policy import OnDrainDeadline
from bigred_server.rollout.core.target import Strategy
from bigred_server.testing.simulation.world import World

_CLOCK_S = 1e-6


def broken_rules(fleet: World, action: Action, *, again: bool) -> list[str]:
    """Return the rules that an action breaks as it begins, each in a sentence with the action."""
    broken = {
        ActionKind.FETCH: _fetch,
        ActionKind.DRAIN: _close,
        ActionKind.MAINT: _close,
        ActionKind.CUT: _cut,
        ActionKind.STOP: _touch,
        ActionKind.SWAP: _touch,
        ActionKind.START: _start,
        ActionKind.DEPLOY: _deploy,
        ActionKind.UNDEPLOY: _undeploy,
        ActionKind.READY: _admit,
        ActionKind.ADMIT: _admit,
    }[action.kind](fleet, action)
    return [f"{action.kind} {action.node}: {text}" for text in broken if not again]


def serves(fleet: World, name: str) -> bool:
    """Return whether any HAProxy sends users to a node, and its app answers them."""
    is_up = any(server.up for server in fleet.pool.of(name))
    return is_up and fleet.nodes[name].answer(fleet.clock()).came


def _close(fleet: World, action: Action) -> list[str]:
    if not serves(fleet, action.node):
        return []
    others = [name for name in fleet.nodes if name != action.node and _serves_all(fleet, name)]
    broken = []
    if len(others) < fleet.policy.min_healthy:
        broken.append(f"only {len(others)} others serve, {fleet.policy.min_healthy} must")
    # If the policy allows removing all nodes at once, no node has to carry another one's load.
    if fleet.policy.min_healthy and _load(fleet) > _capacity(fleet, others):
        broken.append(f"{_load(fleet)} requests are too many for {', '.join(others)}")
    return broken


def _serves_all(fleet: World, name: str) -> bool:
    is_up = all(server.up for server in fleet.pool.of(name))
    return is_up and fleet.nodes[name].answer(fleet.clock()).came


def _load(fleet: World) -> int:
    names = [name for name in fleet.nodes if _serves_all(fleet, name)]
    return sum(len(server.requests) for name in names for server in fleet.pool.of(name))


def _capacity(fleet: World, names: list[str]) -> float:
    limits = [server.maxconn for name in names for server in fleet.pool.of(name)]
    known = [limit for limit in limits if limit is not None]
    return sum(known) * fleet.policy.headroom if len(known) == len(limits) else float("inf")


def _fetch(fleet: World, action: Action) -> list[str]:
    return ["only HTTP reaches it"] if fleet.nodes[action.node].kept is None else []


def _lacks_release(fleet: World, action: Action) -> list[str]:
    kept = fleet.nodes[action.node].kept
    return (
        ["the release is not there"]
        if kept is not None and action.target.digest not in kept
        else []
    )


def _touch(fleet: World, action: Action) -> list[str]:
    node = fleet.nodes[action.node]
    broken = _while_in_use(fleet, action)
    if any(server.admin is not Admin.MAINT for server in fleet.pool.of(action.node)):
        broken.append("a HAProxy does not have it in MAINT")
    if action.kind is ActionKind.SWAP:
        broken += _lacks_release(fleet, action)
        if node.contexts is not None:
            broken.append("Tomcat runs")
    if action.kind is ActionKind.STOP and node.digest == action.target.digest == node.running:
        broken.append("it already runs its target")
    return broken


def _while_in_use(fleet: World, action: Action) -> list[str]:
    broken = []
    for server in fleet.pool.of(action.node):
        if not server.requests or server.closed_at_s is None:
            continue
        waited_s = fleet.clock() - server.closed_at_s
        if waited_s < fleet.policy.drain_s - _CLOCK_S:
            broken.append(f"{len(server.requests)} requests are in flight after {waited_s:g} s")
    return broken


def _cut(fleet: World, action: Action) -> list[str]:
    if fleet.policy.on_drain_deadline is not OnDrainDeadline.CUT:
        return ["the policy does not allow it"]
    return _while_in_use(fleet, action)


def _start(fleet: World, action: Action) -> list[str]:
    node = fleet.nodes[action.node]
    if action.target.strategy is Strategy.RESTART and node.digest != action.target.digest:
        return ["another WAR is in place"]
    return ["it can't be started from here"] if node.kept is None else []


def _deploy(fleet: World, action: Action) -> list[str]:
    node = fleet.nodes[action.node]
    broken = _lacks_release(fleet, action)
    if action.target.strategy is Strategy.REDEPLOY:
        return [*broken, *_touch(fleet, action)]
    if any(server.admin is Admin.READY for server in fleet.pool.of(action.node)):
        broken.append("it is in the pool")
    # The same version may come again from a server that does not know how far the last one got.
    if any(name > action.version for name in node.wars):
        broken.append(f"{action.version} would not be the newest")
    return broken


def _undeploy(fleet: World, action: Action) -> list[str]:
    """Check that the target version runs and that users get it once the other one is removed."""
    contexts = fleet.nodes[action.node].contexts
    if contexts is None or action.version not in contexts:
        return []
    now_s = fleet.clock()
    left = {n: one for n, one in contexts.items() if n != action.version and one.is_ready(now_s)}
    wanted = [name for name, one in left.items() if one.digest == action.target.digest]
    return [] if wanted else [f"without {action.version} the target does not run"]


def _admit(fleet: World, action: Action) -> list[str]:
    node = fleet.nodes[action.node]
    answer = node.answer(fleet.clock())
    first = node.front(fleet.clock())
    digest = first.digest if first else ""
    if action.target.strategy is Strategy.REDEPLOY and node.kept is None and not node.remembered:
        # The bytes can't be read; the app's answer is all the evidence there is.
        digest = action.target.digest
    if digest != action.target.digest or not answer.ok or answer.marker != action.target.marker:
        return [f"it has {digest!r} and answers {answer.text!r}"]
    if action.target.strategy is Strategy.RESTART and node.digest != action.target.digest:
        return [f"it runs {digest!r} and would start {node.digest!r}"]
    return []
