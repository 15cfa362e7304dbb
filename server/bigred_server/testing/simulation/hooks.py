"""The hooks of a simulated rollout: how they stand, and the rules that they are run by."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core.decision import Call


def _at_once(_hook: Hook) -> tuple[float, HookState]:
    return 0.0, HookState.DONE


@dataclass
class SimulatedHooks:
    """`goes` says for how long (s) a hook runs and how it ends; `violations` what was wrong."""

    goes: Callable[[Hook], tuple[float, HookState]] = _at_once
    states: dict[Hook, HookState] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _until: dict[Hook, tuple[float, HookState]] = field(default_factory=dict)

    def begin(self, call: Call, now_s: float, *, touched: bool, whole: bool) -> None:
        """Begin a hook, if none runs. `touched`: a node was; `whole`: all serve what is wanted."""
        if HookState.RUNNING in self.states.values():
            return
        if call.hook in self.states:
            self.violations.append(f"{call.hook} is run again")
        if call.hook is Hook.BEFORE and touched:
            self.violations.append("before is run after a node was touched")
        if call.hook is Hook.AFTER and not whole:
            self.violations.append("after is run before all nodes serve")
        if call.hook is Hook.ON_FAILURE and (call.outcome is None or call.outcome.value == ""):
            self.violations.append("on_failure is not told the outcome")
        self.calls.append(call)
        lasts_s, state = self.goes(call.hook)
        self.states[call.hook] = HookState.RUNNING
        self._until[call.hook] = now_s + lasts_s, state

    def end_due(self, now_s: float) -> None:
        """End those whose time has come."""
        for hook, (until_s, state) in list(self._until.items()):
            if until_s <= now_s:
                self.states[hook] = state
                del self._until[hook]

    def crash(self) -> None:
        """Have the server die: nobody knows what became of the one that ran."""
        for hook in self._until:
            self.states[hook] = HookState.INTERRUPTED
        self._until = {}
