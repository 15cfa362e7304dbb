"""The hooks of a simulated rollout: their states, and the rules for running them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core.decision import Call


def _at_once(_hook: Hook) -> tuple[float, HookState]:
    return 0.0, HookState.DONE


@dataclass
class SimulatedHooks:
    """Simulated hooks. `goes`: returns how long (s) a hook runs and how it ends.

    `violations`: the rules that the rollout broke.
    """

    goes: Callable[[Hook], tuple[float, HookState]] = _at_once
    states: dict[Hook, HookState] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _until: dict[Hook, tuple[float, HookState]] = field(default_factory=dict)

    def begin(self, call: Call, now_s: float, *, touched: bool, whole: bool) -> None:
        """Begin a hook, if none is running.

        `touched`: whether any node was touched; `whole`: whether all nodes serve their target.
        """
        if HookState.RUNNING in self.states.values():
            return
        if call.hook in self.states:
            self.violations.append(f"{call.hook} runs again")
        if call.hook is Hook.BEFORE and touched:
            self.violations.append("before runs after a node was touched")
        if call.hook is Hook.AFTER and not whole:
            self.violations.append("after runs before all nodes serve")
        if call.hook is Hook.ON_FAILURE and (call.outcome is None or call.outcome.value == ""):
            self.violations.append("on_failure does not receive the outcome")
        self.calls.append(call)
        lasts_s, state = self.goes(call.hook)
        self.states[call.hook] = HookState.RUNNING
        self._until[call.hook] = now_s + lasts_s, state

    def end_due(self, now_s: float) -> None:
        """End the hooks whose time is up."""
        for hook, (until_s, state) in list(self._until.items()):
            if until_s <= now_s:
                self.states[hook] = state
                del self._until[hook]

    def crash(self) -> None:
        """Let the server die: what the running hook did is then unknown."""
        for hook in self._until:
            self.states[hook] = HookState.INTERRUPTED
        self._until = {}
