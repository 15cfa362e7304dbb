"""The rules that a rollout must never break, held against what is really so when an act begins."""

from typing import TYPE_CHECKING

from bigred_server.rollout.core.action import Act, Kind
from bigred_server.rollout.core.observation import Admin
from bigred_server.rollout.core.policy import OnDrainDeadline
from bigred_server.rollout.core.target import Strategy

if TYPE_CHECKING:
    from bigred_server.testing.simulation.fleet import SimulatedFleet

_CLOCK_S = 1e-6


def broken_rules(fleet: "SimulatedFleet", act: Act, *, again: bool) -> list[str]:
    """Name the rules that an act breaks, each in a sentence with the act."""
    broken = {
        Kind.FETCH: _fetched,
        Kind.DRAIN: _taken,
        Kind.MAINT: _taken,
        Kind.CUT: _cut,
        Kind.STOP: _touched,
        Kind.SWAP: _touched,
        Kind.START: _started,
        Kind.DEPLOY: _deployed,
        Kind.UNDEPLOY: _undeployed,
        Kind.READY: _given_back,
        Kind.ADMIT: _given_back,
    }[act.kind](fleet, act)
    return [f"{act.kind} {act.node}: {text}" for text in broken if not again]


def serves(fleet: "SimulatedFleet", name: str) -> bool:
    """Say whether any HAProxy sends a node users, and its app answers them."""
    is_up = any(server.up for server in fleet.pool.of(name))
    return is_up and fleet.nodes[name].answer(fleet.clock()).came


def _taken(fleet: "SimulatedFleet", act: Act) -> list[str]:
    if not serves(fleet, act.node):
        return []
    others = [name for name in fleet.nodes if name != act.node and _serves_all(fleet, name)]
    broken = []
    if len(others) < fleet.policy.min_healthy:
        broken.append(f"only {len(others)} others serve, {fleet.policy.min_healthy} must")
    # Where the policy lets all nodes go at once, none has to carry what another one carried.
    if fleet.policy.min_healthy and _load(fleet) > _room(fleet, others):
        broken.append(f"{_load(fleet)} requests are too many for {', '.join(others)}")
    return broken


def _serves_all(fleet: "SimulatedFleet", name: str) -> bool:
    is_up = all(server.up for server in fleet.pool.of(name))
    return is_up and fleet.nodes[name].answer(fleet.clock()).came


def _load(fleet: "SimulatedFleet") -> int:
    names = [name for name in fleet.nodes if _serves_all(fleet, name)]
    return sum(len(server.requests) for name in names for server in fleet.pool.of(name))


def _room(fleet: "SimulatedFleet", names: list[str]) -> float:
    limits = [server.maxconn for name in names for server in fleet.pool.of(name)]
    known = [limit for limit in limits if limit is not None]
    return sum(known) * fleet.policy.headroom if len(known) == len(limits) else float("inf")


def _fetched(fleet: "SimulatedFleet", act: Act) -> list[str]:
    return ["only HTTP reaches it"] if fleet.nodes[act.node].kept is None else []


def _lacks_release(fleet: "SimulatedFleet", act: Act) -> list[str]:
    kept = fleet.nodes[act.node].kept
    return ["the release is not there"] if kept is not None and act.goal.digest not in kept else []


def _touched(fleet: "SimulatedFleet", act: Act) -> list[str]:
    node = fleet.nodes[act.node]
    broken = _while_in_use(fleet, act)
    if any(server.admin is not Admin.MAINT for server in fleet.pool.of(act.node)):
        broken.append("a HAProxy has it not in MAINT")
    if act.kind is Kind.SWAP:
        broken += _lacks_release(fleet, act)
        if node.contexts is not None:
            broken.append("Tomcat runs")
    if act.kind is Kind.STOP and node.digest == act.goal.digest == node.running:
        broken.append("it runs what is wanted")
    return broken


def _while_in_use(fleet: "SimulatedFleet", act: Act) -> list[str]:
    broken = []
    for server in fleet.pool.of(act.node):
        if not server.requests or server.closed_at_s is None:
            continue
        waited_s = fleet.clock() - server.closed_at_s
        if waited_s < fleet.policy.drain_s - _CLOCK_S:
            broken.append(f"{len(server.requests)} requests are in flight after {waited_s:g} s")
    return broken


def _cut(fleet: "SimulatedFleet", act: Act) -> list[str]:
    if fleet.policy.on_drain_deadline is not OnDrainDeadline.CUT:
        return ["the policy does not say so"]
    return _while_in_use(fleet, act)


def _started(fleet: "SimulatedFleet", act: Act) -> list[str]:
    node = fleet.nodes[act.node]
    if act.goal.strategy is Strategy.RESTART and node.digest != act.goal.digest:
        return ["the WAR in place is another one"]
    return ["nobody can"] if node.kept is None else []


def _deployed(fleet: "SimulatedFleet", act: Act) -> list[str]:
    node = fleet.nodes[act.node]
    broken = _lacks_release(fleet, act)
    if act.goal.strategy is Strategy.REDEPLOY:
        return [*broken, *_touched(fleet, act)]
    if any(server.admin is Admin.READY for server in fleet.pool.of(act.node)):
        broken.append("its door is open")
    # The same version again is what a server does that does not know how far the last one came.
    if any(name > act.version for name in node.wars):
        broken.append(f"{act.version} would not be the newest")
    return broken


def _undeployed(fleet: "SimulatedFleet", act: Act) -> list[str]:
    """A version may only go while the wanted one runs beside it, and then is what users get."""
    contexts = fleet.nodes[act.node].contexts
    if contexts is None or act.version not in contexts:
        return []
    now_s = fleet.clock()
    left = {n: one for n, one in contexts.items() if n != act.version and one.is_ready(now_s)}
    wanted = [name for name, one in left.items() if one.digest == act.goal.digest]
    return [] if wanted else [f"without {act.version} the wanted one is not there"]


def _given_back(fleet: "SimulatedFleet", act: Act) -> list[str]:
    node = fleet.nodes[act.node]
    answer = node.answer(fleet.clock())
    first = node.front(fleet.clock())
    digest = first.digest if first else ""
    if act.goal.strategy is Strategy.REDEPLOY and node.kept is None and not node.remembered:
        # Nobody can see the bytes; what the app says is all there is.
        digest = act.goal.digest
    if digest != act.goal.digest or not answer.ok or answer.marker != act.goal.marker:
        return [f"it has {digest!r} and answers {answer.text!r}"]
    if act.goal.strategy is Strategy.RESTART and node.digest != act.goal.digest:
        return [f"it runs {digest!r} and would start {node.digest!r}"]
    return []
