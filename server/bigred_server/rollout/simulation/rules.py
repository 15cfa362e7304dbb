"""The rules that a rollout must never break, held against what is really so when an act begins."""

from typing import TYPE_CHECKING

from bigred_server.rollout.act import Act, Kind
from bigred_server.rollout.look import Admin
from bigred_server.rollout.policy import OnDrainDeadline

if TYPE_CHECKING:
    from bigred_server.rollout.simulation.fleet import SimulatedFleet

_CLOCK_S = 1e-6


def broken_rules(fleet: "SimulatedFleet", act: Act, *, again: bool) -> list[str]:
    """Name the rules that an act breaks, each in a sentence with the act."""
    broken = {
        Kind.DRAIN: _taken,
        Kind.MAINT: _taken,
        Kind.CUT: _cut,
        Kind.STOP: _touched,
        Kind.SWAP: _touched,
        Kind.START: _started,
        Kind.READY: _given_back,
        Kind.ADMIT: _given_back,
    }[act.kind](fleet, act)
    return [f"{act.kind} {act.node}: {text}" for text in broken if not again]


def serves(fleet: "SimulatedFleet", name: str) -> bool:
    """Say whether a node is in the pool and its app answers users."""
    return fleet.servers[name].up and fleet.nodes[name].answer(fleet.clock()).came


def _taken(fleet: "SimulatedFleet", act: Act) -> list[str]:
    others = sum(serves(fleet, name) for name in fleet.nodes if name != act.node)
    if serves(fleet, act.node) and others < fleet.policy.min_healthy:
        return [f"only {others} others serve, {fleet.policy.min_healthy} must"]
    return []


def _touched(fleet: "SimulatedFleet", act: Act) -> list[str]:
    node, server = fleet.nodes[act.node], fleet.servers[act.node]
    broken = _while_in_use(fleet, act)
    if server.admin is not Admin.MAINT:
        broken.append(f"HAProxy has it in {server.admin}")
    if act.kind is Kind.SWAP and node.running is not None:
        broken.append("Tomcat runs")
    if act.kind is Kind.STOP and node.digest == act.goal.digest and not _is_foreign(fleet, act):
        broken.append("it runs what is wanted")
    return broken


def _is_foreign(fleet: "SimulatedFleet", act: Act) -> bool:
    node = fleet.nodes[act.node]
    return node.running != node.digest


def _while_in_use(fleet: "SimulatedFleet", act: Act) -> list[str]:
    server = fleet.servers[act.node]
    if not server.requests or server.closed_at_s is None:
        return []
    waited_s = fleet.clock() - server.closed_at_s
    if waited_s < fleet.policy.drain_s - _CLOCK_S:
        return [f"{len(server.requests)} requests are in flight after {waited_s:g} s"]
    return []


def _cut(fleet: "SimulatedFleet", act: Act) -> list[str]:
    if fleet.policy.on_drain_deadline is not OnDrainDeadline.CUT:
        return ["the policy does not say so"]
    return _while_in_use(fleet, act)


def _started(fleet: "SimulatedFleet", act: Act) -> list[str]:
    if fleet.nodes[act.node].digest != act.goal.digest:
        return ["the WAR in place is another one"]
    return []


def _given_back(fleet: "SimulatedFleet", act: Act) -> list[str]:
    node = fleet.nodes[act.node]
    answer = node.answer(fleet.clock())
    if node.digest != act.goal.digest or not answer.ok or answer.marker != act.goal.marker:
        return [f"it has {node.digest!r} and answers {answer.text!r}"]
    return []
